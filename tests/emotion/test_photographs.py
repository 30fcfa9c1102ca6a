"""Looking at a photograph: drawn anew, one entry for one look, and gone when the consent is."""

from __future__ import annotations

import base64
import re
from typing import Any

import cv2
import numpy as np
import pytest
from django.urls import reverse

from audit_log.actions import Action
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from emotion.analyses import run_analysis
from emotion.models import Analysis, Recording
from tests.cast import Person, Study, open_study, upload
from tests.faults.walk import marked_photo

pytestmark = pytest.mark.usefixtures("fresh_db")
NOTE = b"a note that came along in the file"
SENT = marked_photo(NOTE, seed=7)


@pytest.fixture
def study() -> Study:
    return open_study(keep_media=True)


@pytest.fixture
def recording(study: Study, person: Person) -> Recording:
    answer = upload(study.key(), person.reference, study.purpose.id, SENT)
    assert answer.status_code == 202, answer.content
    run_analysis(Analysis.objects.get().id)
    return Recording.objects.get()


def picture_in(page: Any) -> bytes:
    found = re.search(r'src="data:image/jpeg;base64,([A-Za-z0-9+/=]+)"', page.content.decode())
    assert found, page.content.decode()
    return base64.b64decode(found[1])


def reads() -> list[LogEntry]:
    integrate_once()
    return list(LogEntry.objects.filter(action=Action.MEDIA_READ).order_by("index"))


def test_one_sees_ones_own_photograph_without_its_notes(
    person: Person, recording: Recording
) -> None:
    page = person.browser.get(reverse("own_photograph", args=[recording.id]))
    assert page.status_code == 200
    assert "no-store" in page.headers["Cache-Control"]
    jpeg = picture_in(page)
    assert NOTE not in jpeg
    shown = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    sent = cv2.imdecode(np.frombuffer(SENT, np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    assert sent is not None
    assert shown.shape == sent.shape
    face = (slice(50, 190), slice(160, 290))
    assert cv2.absdiff(shown[face], sent[face]).mean() < 4
    assert cv2.absdiff(shown, sent).mean() > 10, "what is beside the head is covered"
    (entry,) = reads()
    assert (entry.reason, entry.outcome) == ("own-access", "ok")
    assert str(entry.entry_id) in page.content.decode()


def test_a_researcher_states_why_and_the_person_sees_it(
    study: Study, person: Person, recording: Recording
) -> None:
    desk = study.researcher.sign_in()
    address = reverse("operate_photograph", args=[recording.id])
    assert b"data:image" not in desk.get(address).content
    assert desk.post(address, {"reason": ""}).status_code == 422
    assert reads() == []
    page = desk.post(address, {"reason": "quality-check"})
    assert page.status_code == 200
    assert picture_in(page)
    (entry,) = reads()
    assert (entry.reason, entry.actor) == ("quality-check", f"operator:{study.researcher.user.id}")
    seen = person.browser.get(reverse("access_history") + "?looks=1").content.decode()
    assert "A photograph or film of you was looked at" in seen


def test_after_the_withdrawal_nobody_sees_it(
    study: Study, person: Person, recording: Recording
) -> None:
    desk = study.researcher.sign_in()
    person.browser.post(reverse("consent_withdraw", args=[study.purpose.id]))
    own = person.browser.get(reverse("own_photograph", args=[recording.id]))
    assert own.status_code == 403
    asked = desk.post(
        reverse("operate_photograph", args=[recording.id]), {"reason": "quality-check"}
    )
    assert asked.status_code == 422
    assert {entry.outcome for entry in reads()} == {"refused"}
