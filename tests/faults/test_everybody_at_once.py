"""Everybody at once: people who change their minds, a client, a researcher and an operator's commands.

Meanwhile worker and keeper are killed again and again. What each is answered may be a refusal, never a
fault; and when it is quiet again every row has ended, nothing is left of whoever withdrew, and every
sealed file belongs to somebody who consents. Then all withdraw, and nothing is left at all but the access
log, whole. ``AT_ONCE_SECONDS`` (default 12) is how long it goes on; 200 make a long run. ``AT_ONCE_SEED``
says what is drawn, but not who comes first.
"""

from __future__ import annotations

import os
import random
import re
import signal
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections
from django.db.models import QuerySet
from django.utils import timezone

from consent.models import ConsentState, ConsentStatus
from emotion.erasure import drain
from emotion.models import Analysis, PartialUpload, Recording, Result
from emotion.sealed_media import media_keys
from tests.cast import Person, come_in, consent, leave, open_study
from tests.faults.everybody import PEOPLE, Act, Administrator, ApiUser, Researcher, Subject
from tests.faults.leftovers import ENDED, living_keys, sealed_files
from tests.processes import KEEPER, WORKER, running, wait_for

SECONDS = float(os.environ.get("AT_ONCE_SECONDS", "12"))
SEED = int(os.environ.get("AT_ONCE_SEED", "1"))
KILLED_AFTER = (2.0, 8.0)  # seconds


@dataclass
class Crowd:
    """Those who act, each in a thread, and what they were answered."""

    until: float
    told: Counter[str] = field(default_factory=Counter)
    wrong: dict[str, str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, acts: list[Act], seed: int) -> threading.Thread:
        """Let somebody do one after the other, whichever, until the time is over."""
        thread = threading.Thread(target=self.act, args=[acts, random.Random(seed)])
        thread.start()
        return thread

    def act(self, acts: list[Act], chance: random.Random) -> None:
        while time.monotonic() < self.until:
            chosen = chance.choice(acts)
            try:
                answer = chosen(chance)
                if answer is not None:
                    body = answer.getvalue().decode(errors="replace")
                    answer.close()
                    later = "Retry-After" in answer.headers
                    fine = answer.status_code < 500 or (answer.status_code == 503 and later)
                    self.note(f"{chosen.__name__}: {answer.status_code}", "" if fine else body)
            except Exception as fault:  # whatever it is, it is what this looks for
                self.note(f"{chosen.__name__}: {type(fault).__name__}", repr(fault))
        connections.close_all()

    def note(self, what: str, wrong: str) -> None:
        with self.lock:
            self.told[what] += 1
            if wrong:
                self.wrong.setdefault(what, wrong[:500])


def kill_again_and_again(crowd: Crowd, logs: Path) -> int:
    """Start worker and keeper, and kill them, until the time is over; how often."""
    chance, killed = random.Random(SEED), 0
    while time.monotonic() < crowd.until:
        with (
            running(WORKER, logs / "worker.log") as worker,
            running(KEEPER, logs / "keeper.log") as keeper,
        ):
            wait = min(chance.uniform(*KILLED_AFTER), crowd.until - time.monotonic())
            time.sleep(max(0.0, wait))
            for each in (worker, keeper):
                with suppress(ProcessLookupError):
                    os.killpg(each.pid, signal.SIGKILL)
                    killed += 1
    return killed


def quiet(logs: Path) -> None:
    """Let whoever works end what is under way, as some time later."""
    past = timezone.now() - timedelta(minutes=1)
    Analysis.objects.filter(state="running").update(lease_until=past)
    Analysis.objects.filter(state="queued").update(queued_at=past)
    with running(WORKER, logs / "last.log"), running(KEEPER, logs / "last-keeper.log"):
        wait_for(lambda: not Analysis.objects.exclude(state__in=ENDED).exists(), what="every row")
    drain()


def gone() -> QuerySet[ConsentState]:
    """The consents that do not stand."""
    return ConsentState.objects.exclude(status=ConsentStatus.GIVEN)


def left_of(person: Person) -> list[str]:
    """What must not be there of somebody whose consent does not stand."""
    found = []
    if living_keys(person.subject):
        found.append(f"keys of {person.reference}")
    if Result.objects.filter(analysis__recording__subject=person.subject).exists():
        found.append(f"results of {person.reference}")
    if PartialUpload.objects.filter(subject=person.subject).exists():
        found.append(f"parts of an upload of {person.reference}")
    return found


def files_of_nobody() -> set[str]:
    """The names of sealed files that belong to no recording that is there, and to no upload under way."""
    names = {path.name for path in sealed_files()}
    keys = {each.upload.parts_key_id for each in PartialUpload.objects.select_related("upload")}
    for recording in Recording.objects.filter(erased_at=None):
        keys |= set(media_keys(recording))
    return {name for name in names if not any(key and name.startswith(key.hex) for key in keys)}


@pytest.fixture
def every_request_writes_down_what_it_touches() -> None:
    """Not asked here: request and keeper end an erasure together, one with the entry, one with the rows."""


@pytest.mark.processes
@pytest.mark.timeout(1200)
def test_everybody_at_once(fresh_db: None, tmp_path: Path, settings: Any) -> None:
    settings.API_RATE = "1000000/min"
    study = open_study(keep_media=True)
    people = [come_in(study, f"P-{number}") for number in range(PEOPLE)]
    for person in people:
        consent(person, study.purpose)
    everybody = [Subject(study, person).acts() for person in people]
    everybody += [ApiUser(study).acts(), Researcher(study).acts(), Administrator().acts()]
    crowd = Crowd(time.monotonic() + SECONDS)
    threads = [crowd.begin(acts, SEED * 100 + number) for number, acts in enumerate(everybody)]
    killed = kill_again_and_again(crowd, tmp_path)
    for thread in threads:
        thread.join()
    assert killed >= 2
    assert not crowd.wrong, crowd.wrong
    ok = {what.split(":")[0] for what in crowd.told if re.search(r": [23]", what)}
    assert len(ok) > 8, f"otherwise this test would be blind: {crowd.told}"
    quiet(tmp_path)
    ended = set(gone().values_list("subject_id", flat=True))
    left = [each for person in people if person.subject.id in ended for each in left_of(person)]
    assert not left
    assert not files_of_nobody()
    for person in people:
        leave(person, study)
    drain()
    assert not [each for person in people for each in left_of(person)]
    assert not sealed_files(), "nobody consents any more"
    call_command("verify_log", stdout=StringIO())
