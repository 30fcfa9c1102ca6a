"""Whatever opens or changes something about a person writes it down: every address, task and chore.

What the forms do when they are filled in is watched in all other tests (``tests/conftest.py``), and so is
whoever is refused, in ``test_roles.py``.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from datetime import timedelta

import pytest
import time_machine
from celery import current_app
from django.db import transaction
from django.db.models import Model
from django.utils import timezone

from audit_log.actions import ReasonCode
from audit_log.clock import Watch
from audit_log.daily_verification import DailyVerification
from audit_log.sequencer import integrate_once
from config.celery import app
from consent.models import ConsentState
from emotion.cohort import ask
from emotion.management.commands.keeper import chores, chores_apart
from emotion.models import Analysis, AnalysisState, CohortQuestion
from tests.cast import PHOTO, consenting, open_study, upload
from tests.faults.roles import NO, ROLES, SIGN_IN, build, written
from tests.watching import Touches, on_purpose, watched
from vault.models import DataKey

pytestmark = pytest.mark.usefixtures("fresh_db")
ENDS_A_SESSION = {"account_logout", "subject_sign_out"}
ENDS_PEOPLE = ("withdraw", "close")


def test_every_address_that_touches_people_writes_an_entry() -> None:
    house = build()
    seen: dict[str, set[str]] = defaultdict(set)
    unwritten: dict[str, set[str]] = defaultdict(set)
    let_in = {
        name: [role for role, cell in zip(ROLES, cells, strict=True) if cell not in {NO, SIGN_IN}]
        for name, (_asked, *cells) in written("Addresses").items()
        if name not in ENDS_A_SESSION
    }
    names = sorted(let_in, key=lambda name: any(word in name for word in ENDS_PEOPLE))
    for act in (house.get, house.post):
        for name in names:
            for role in let_in[name]:
                with watched() as touches:
                    act(role, name)
                seen[f"{act.__name__} {name}"] |= touches.changed | touches.keys
                unwritten[f"{act.__name__} {name}"] |= touches.unwritten
    assert not {name: what for name, what in unwritten.items() if what}
    # Otherwise this test would be blind.
    assert "a data key" in seen["get own_result"] & seen["get operate_breach"]
    assert "consent_consentevent" in seen["get consent_notice"] & seen["post consent_withdraw"]
    assert "emotion_recording" in seen["post api_recordings"]


def test_the_watch_sees_what_it_is_there_to_see() -> None:
    person = consenting(open_study())
    states = ConsentState.objects.filter(subject=person.subject)
    with watched() as refused, suppress(ZeroDivisionError), transaction.atomic():
        states.update(remind_at=None)
        raise ZeroDivisionError
    assert refused.unwritten == set(), "taken back"
    with watched() as done, transaction.atomic():
        states.update(remind_at=None)
    assert done.unwritten == {"consent_consentstate"}
    with watched() as fetched:
        list(DataKey.objects.values_list("id", "wrapped"))
    assert fetched.unwritten == {"a data key"}
    update = 'UPDATE "consent_telling" SET "next_attempt_at" = %s, "acknowledged_at" = %s WHERE "id" = %s'
    assert not on_purpose("consent_telling", update)
    assert on_purpose("consent_telling", update.replace(', "acknowledged_at" = %s', ""))


def test_every_task_that_touches_people_writes_an_entry() -> None:
    study = open_study()
    person = consenting(study)
    app.loader.import_default_modules()

    def photograph() -> Model:
        upload(study.key(), person.reference, study.purpose.id, PHOTO.read_bytes())
        return Analysis.objects.get(state=AnalysisState.QUEUED)

    def question() -> Model:
        return ask(
            study.researcher.actor,
            study.purpose.id,
            CohortQuestion.VALENCE,
            ReasonCode.QUALITY_CHECK,
        )

    rows = {"emotion.analyse": photograph, "emotion.count_cohort": question}
    assert list(rows) == list(written("Tasks")), "the second counts what the first has read"
    for name, made in rows.items():
        row = made()
        with watched() as touches:
            current_app.tasks[name](str(row.pk))
        assert bool(touches.changed) == (name == "emotion.analyse"), "a count changes nobody's rows"
        assert touches.keys
        assert touches.entries
        assert not touches.unwritten, name


def test_every_chore_that_touches_people_writes_an_entry() -> None:
    """Everything exists once, then it is over, and then it is long over."""
    build()
    seen: dict[str, Touches] = defaultdict(Touches)
    unwritten: dict[str, set[str]] = defaultdict(set)
    for days in (0, 1, 40, 400, 1300):
        with time_machine.travel(timezone.now() + timedelta(days=days)):
            apart = [each for each, _pause in chores_apart()]
            for chore in [*chores(Watch(), DailyVerification()), *apart]:
                if chore.name == "access log verified":
                    continue  # a process of its own, which only reads the log
                for _ in range(3):
                    with watched() as touches:
                        chore.do()
                    seen[chore.name].changed |= touches.changed
                    unwritten[chore.name] |= touches.unwritten
            integrate_once()
    assert not {name: what for name, what in unwritten.items() if what}
    assert "consent_erasurerequest" in seen["erasures taken up"].changed
