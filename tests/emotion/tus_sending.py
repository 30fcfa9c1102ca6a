"""What tests of resumable uploads share: a client, and parts smaller than a photograph."""

from __future__ import annotations

from typing import Any

import pytest

from audit_log.actions import Action
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from emotion import arriving
from tests.cast import PHOTO, Person, Study
from tests.tus import Tus

BODY = PHOTO.read_bytes()
HALF = len(BODY) // 2


@pytest.fixture(autouse=True)
def small_parts(settings: Any) -> None:
    settings.UPLOAD_PART_BYTES = 20_000


@pytest.fixture
def tus(study: Study, person: Person) -> Tus:
    return Tus(study.key())


def actions() -> list[str]:
    integrate_once()
    of_uploads = [each for each in Action if each.startswith(("upload:", "media:"))]
    found = LogEntry.objects.filter(action__in=of_uploads).order_by("index")
    return [f"{each.action} {each.outcome}".removesuffix(" ok") for each in found]


def told(answer: Any) -> tuple[int, str]:
    """Status and code of a refusal."""
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Tus-Resumable"] == "1.0.0"
    return answer.status_code, answer.json()["code"]


def while_sending(monkeypatch: pytest.MonkeyPatch, then: Any) -> None:
    """Do something once, in the middle of the next request's body."""
    write, done = arriving.Arriving.write, []

    def interrupted(request: arriving.Arriving, chunk: bytes) -> None:
        write(request, chunk)
        if not done:
            done.append(True)
            then()

    monkeypatch.setattr(arriving.Arriving, "write", interrupted)
