"""No sequence of events ever yields a permit that the history does not support.

Hypothesis makes people do things in any order; after each step the gate is asked for every operation as
every asker, and its answers are compared with what an interpreter of its own reads in the rows of
``ConsentEvent`` alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import uuid4

import pytest
import time_machine
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from audit_log.actions import Action
from consent.enforcement import Asking, require_consent
from consent.errors import ConsentError, ConsentRefused
from consent.giving import give_consent, refuse_consent
from consent.models import ConsentEvent, ConsentState, Purpose, PurposeState
from consent.narrowing import pause, resume, stop_category
from consent.purposes import close_purpose
from consent.records import notice_in_force, record_notice_shown, record_request
from consent.retention import expire_consents
from consent.rules import Asker, Operation
from consent.widening import add_category
from consent.withdrawals import withdraw
from emotion.erasure import drain
from tests.cast import CATEGORIES, Study, come_in, open_study

READS = {Operation.READ_RESULT, Operation.READ_MEDIA, Operation.READ_PAPER}
YES = {"given", "renewed", "re-affirmed", "narrowed"}
NO = {"refused": "refused", "withdrawn": "withdrawn", "expired": "expired"}
LONG = timedelta(days=400)  # longer than any consent of these tests


@dataclass
class History:
    """What the rows of one consent's events say, read in their order."""

    status: str = ""
    categories: tuple[str, ...] = ()
    valid_until: datetime | None = None
    paused: bool = False

    @classmethod
    def read(cls, events: Iterator[ConsentEvent]) -> History:
        found = cls()
        for event in events:
            if event.kind in YES:
                over = found.valid_until is not None and event.at >= found.valid_until
                if found.status == "given" and over:  # before the keeper has noticed
                    same = (event.kind, event.valid_until) == ("narrowed", found.valid_until)
                    assert same, "a yes lets what has ended live again"
                found.status = "given"
                found.categories = tuple(event.categories)
                found.valid_until = event.valid_until
            elif event.kind in NO:
                found.status, found.categories, found.paused = NO[event.kind], (), False
            elif event.kind in {"restricted", "resumed"}:
                found.paused = event.kind == "restricted"
            elif event.kind == "requested" and not found.status:
                found.status = "requested"
        return found

    def allows(self, operation: Operation, asker: Asker, purpose: Purpose, category: str) -> bool:
        if self.status != "given" or self.valid_until is None or category not in self.categories:
            return False
        if self.valid_until <= timezone.now():
            return False
        if self.paused and not (asker is Asker.SUBJECT and operation in READS):
            return False
        if asker is Asker.ATTESTER and operation in READS:
            return False
        if asker is Asker.UNTRAINED and operation in READS - {Operation.READ_PAPER}:
            return False
        if operation is Operation.COUNT_RESULT:
            return True
        return operation in READS or purpose.state == PurposeState.OPEN


class People(RuleBasedStateMachine):
    """One new person in the one study; every rule is something that somebody may try."""

    study: Study

    def __init__(self) -> None:
        super().__init__()
        self.person = come_in(self.study, f"P-{uuid4().hex[:8]}")
        self.actor, self.subject = self.person.actor, self.person.subject
        self.purpose = Purpose.objects.get(pk=self.study.purpose.pk)
        self.clock: time_machine.travel | None = None

    @initialize(consents=st.booleans())
    def begins(self, consents: bool) -> None:
        if consents:
            self.says_yes({str(each) for each in CATEGORIES})

    def teardown(self) -> None:
        if self.clock is not None:
            self.clock.stop()
        drain()

    def tried(self, step: object, *arguments: object) -> None:
        """Do it; a refusal is an answer like any other and must have changed nothing."""
        before = ConsentEvent.objects.filter(subject=self.subject).count()
        try:
            step(*arguments)  # type: ignore[operator]
        except ConsentError:
            assert ConsentEvent.objects.filter(subject=self.subject).count() == before

    @rule()
    def asked_again(self) -> None:
        actor = self.study.administrator.actor
        self.tried(record_request, actor, self.subject, self.purpose, "link")

    @rule()
    def reads_the_notice(self) -> None:
        notice = notice_in_force(self.purpose, "en")
        self.tried(record_notice_shown, self.actor, self.subject, notice)

    @rule(chosen=st.sets(st.sampled_from([str(each) for each in CATEGORIES])))
    def says_yes(self, chosen: set[str]) -> None:
        drain()  # what is being erased does not stand in the way for long
        notice = notice_in_force(self.purpose, "en")
        record_notice_shown(self.actor, self.subject, notice)
        says = partial(give_consent, gives_up=CATEGORIES)
        self.tried(says, self.actor, self.subject, notice, sorted(chosen))

    @rule()
    def says_no(self) -> None:
        notice = notice_in_force(self.purpose, "en")
        self.tried(refuse_consent, self.actor, self.subject, notice)

    @rule()
    def pauses(self) -> None:
        self.tried(pause, self.actor, self.subject, self.purpose)

    @rule()
    def resumes(self) -> None:
        self.tried(resume, self.actor, self.subject, self.purpose)

    @rule(category=st.sampled_from([str(each) for each in CATEGORIES]))
    def stops(self, category: str) -> None:
        self.tried(stop_category, self.actor, self.subject, self.purpose, category)

    @rule(category=st.sampled_from([str(each) for each in CATEGORIES]))
    def adds(self, category: str) -> None:
        drain()
        self.tried(add_category, self.actor, self.subject, self.purpose, category)

    @rule()
    def withdraws(self) -> None:
        self.tried(withdraw, self.actor, self.subject, self.purpose)

    @rule(noticed=st.booleans())
    def time_passes(self, noticed: bool) -> None:
        """The consent's end comes; the keeper may or may not have noticed."""
        if self.clock is None:
            self.clock = time_machine.travel(timezone.now() + LONG)
            self.clock.start()
        if noticed:
            expire_consents()

    @invariant()
    def the_gate_follows_the_history(self) -> None:
        events = ConsentEvent.objects.filter(subject=self.subject, purpose=self.purpose)
        history = History.read(events.order_by("sequence").iterator())
        purpose = Purpose.objects.get(pk=self.purpose.pk)
        for operation, asker, category in itertools.product(Operation, Asker, CATEGORIES):
            allowed = history.allows(operation, asker, purpose, category)
            assert self.permitted(operation, asker, category) == allowed, (history, operation)
        self.the_state_is_what_the_events_say(history, events.count())

    def permitted(self, operation: Operation, asker: Asker, category: str) -> bool:
        try:
            permit = require_consent(
                subject_id=self.subject.id,
                purpose_id=self.purpose.id,
                operation=operation,
                asker=Asking(asker),
                action=Action.RESULT_READ,
                object_kind="recording",
                object_id=uuid4(),
                categories=frozenset({category}),
            )
        except ConsentRefused:
            return False
        event = ConsentEvent.objects.get(pk=permit.consent_event_id)
        assert event.kind in YES, "a permit names the yes that allows it"
        assert category in event.categories
        return True

    def the_state_is_what_the_events_say(self, history: History, events: int) -> None:
        state = ConsentState.objects.get(subject=self.subject, purpose=self.purpose)
        assert state.sequence == events
        assert state.status == history.status
        assert tuple(state.categories) == history.categories
        assert (state.restricted_at is not None) == history.paused
        if history.status == "given":
            assert state.valid_until == history.valid_until


class PeopleOfAClosedStudy(People):
    """The same, each in a study of their own that may be closed at any moment."""

    def __init__(self) -> None:
        self.study = open_study()
        super().__init__()

    @rule()
    def the_study_closes(self) -> None:
        self.tried(close_purpose, self.study.officer.actor, self.purpose.id)


@pytest.mark.parametrize("machine", [People, PeopleOfAClosedStudy])
def test_no_sequence_yields_a_permit_without_support(fresh_db: None, machine: type[People]) -> None:
    People.study = open_study()
    bounded = settings(
        max_examples=12,
        stateful_step_count=12,
        phases=[
            Phase.generate
        ],  # a failure is told as it was found; making it shorter takes minutes
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=bounded)


def test_a_pause_outlives_every_yes_and_the_events_tell_it(fresh_db: None) -> None:
    """What chance seldom comes to: the same walk of a paused person by hand, and over its end."""
    People.study = open_study()
    walk = People()
    steps = [
        walk.pauses,
        partial(walk.stops, "blendshapes"),
        partial(walk.adds, "blendshapes"),
        partial(walk.says_yes, {str(each) for each in CATEGORIES}),
        partial(walk.says_yes, {"media", "expression"}),
        walk.resumes,
        walk.pauses,
        partial(walk.time_passes, noticed=False),
        partial(walk.says_yes, {"media"}),
        partial(walk.time_passes, noticed=True),
        partial(walk.says_yes, {"media"}),
    ]
    walk.begins(consents=True)
    try:
        for step in steps:
            step()
            walk.the_gate_follows_the_history()
    finally:
        walk.teardown()
    kinds = ConsentEvent.objects.filter(subject=walk.subject).order_by("sequence")
    told = [kind for kind in kinds.values_list("kind", flat=True) if kind != "notice-shown"]
    assert told == [
        *("requested", "given", "restricted", "narrowed", "renewed", "re-affirmed", "renewed"),
        *("resumed", "restricted", "expired", "given"),
    ]
