"""The gate's rule, cell by cell."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import time_machine
from django.utils import timezone

from audit_log.actions import Action, ReasonCode
from consent.enforcement import (
    Asking,
    ConsentNow,
    ConsentPermit,
    consent_standing,
    decide,
    decide_now,
    require_consent,
)
from consent.errors import ConsentRefused
from consent.giving import give_consent
from consent.models import ConsentStatus, PurposeState
from consent.purposes import close_purpose
from consent.records import lock_state
from consent.rules import Asker, ConsentStanding, Kept, Operation
from consent.withdrawals import withdraw
from tests.cast import CATEGORIES, Person, Study, consenting, open_study

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
MEDIA = frozenset({"media"})


def state(
    status: ConsentStatus,
    purpose_state: PurposeState = PurposeState.OPEN,
    days: int | None = 30,
    left: timedelta | None = timedelta(days=1),
) -> ConsentNow:
    """A consent and its purpose as the database would give them."""
    return ConsentNow(
        status=status,
        version=1,
        categories=["media", "expression"],
        notice_id=None,
        event_id=None,
        valid_until=None if left is None else NOW + left,
        restricted_at=None,
        purpose_state=purpose_state,
        purpose_ends_at=None,
        media_retention_days=days,
        result_retention_days=days,
        attested_by_asker=False,
        asker_is_trained=True,
    )


STANDINGS = {
    ConsentStatus.REQUESTED: ConsentStanding.REQUESTED,
    ConsentStatus.GIVEN: ConsentStanding.GIVEN,
    ConsentStatus.REFUSED: ConsentStanding.REFUSED,
    ConsentStatus.WITHDRAWN: ConsentStanding.WITHDRAWN,
    ConsentStatus.EXPIRED: ConsentStanding.EXPIRED,
    ConsentStatus.CANCELLED: ConsentStanding.NEVER_ASKED,
}


@pytest.mark.parametrize("status", list(ConsentStatus))
def test_each_state_stands_as_it_is_called(status: ConsentStatus) -> None:
    assert consent_standing(state(status), NOW) == STANDINGS[status]
    paused = state(status)._replace(restricted_at=NOW)
    given = status == ConsentStatus.GIVEN
    expected = ConsentStanding.RESTRICTED if given else STANDINGS[status]
    assert consent_standing(paused, NOW) == expected


def test_no_state_is_never_asked() -> None:
    assert consent_standing(None, NOW) == ConsentStanding.NEVER_ASKED


def asked(held: ConsentNow | None, categories: frozenset[str] = MEDIA) -> ReasonCode | None:
    return decide(held, Operation.ANALYSE, Asker.SYSTEM, categories, Kept.IN_TIME, NOW)


def test_the_last_second_counts() -> None:
    for left, expected in [
        (timedelta(microseconds=1), None),
        (timedelta(0), ReasonCode.CONSENT_EXPIRED),
        (None, ReasonCode.CONSENT_EXPIRED),
    ]:
        assert asked(state(ConsentStatus.GIVEN, left=left)) == expected


def test_only_an_open_purpose_takes_anything_new() -> None:
    for purpose_state in PurposeState:
        is_open = purpose_state == PurposeState.OPEN
        found = asked(state(ConsentStatus.GIVEN, purpose_state))
        assert found == (None if is_open else ReasonCode.PURPOSE_NOT_OPEN)


@pytest.mark.parametrize("days", [None, 0])
def test_without_a_retention_period_nothing_is_kept(days: int | None) -> None:
    assert asked(state(ConsentStatus.GIVEN, days=days)) == ReasonCode.RETENTION_NOT_SET


def test_a_category_outside_the_consent_is_refused() -> None:
    found = asked(state(ConsentStatus.GIVEN), MEDIA | {"blendshapes"})
    assert found == ReasonCode.CATEGORY_NOT_CONSENTED


@pytest.mark.parametrize(
    ("found", "refused"),
    [
        (timedelta(seconds=1), None),
        (timedelta(0), ReasonCode.RETENTION_PASSED),
        (None, ReasonCode.RETENTION_NOT_SET),
        (ReasonCode.RECORDING_DISPUTED, ReasonCode.RECORDING_DISPUTED),
    ],
)
def test_an_object_stands_as_it_says_at_that_moment(
    fresh_db: None, found: timedelta | ReasonCode | None, refused: ReasonCode | None
) -> None:
    def standing() -> datetime | ReasonCode | None:
        return NOW + found if isinstance(found, timedelta) else found

    with time_machine.travel(NOW, tick=False):
        held = state(ConsentStatus.GIVEN)
        told = decide_now(held, Operation.READ_RESULT, Asking(Asker.OTHER), MEDIA, standing)
    assert told == refused


def permit_of(study: Study, person: Person, until: datetime | None = None) -> ConsentPermit:
    return require_consent(
        subject_id=person.subject.id,
        purpose_id=study.purpose.id,
        operation=Operation.UPLOAD,
        asker=Asking(Asker.SUBJECT),
        action=Action.MEDIA_UPLOAD,
        object_kind="recording",
        object_id=uuid4(),
        standing=(lambda: until) if until else None,
    )


def test_a_permit_dies_with_any_change_of_the_consent(fresh_db: None) -> None:
    study = open_study()
    person = consenting(study)
    permit = permit_of(study, person)
    permit.recheck()
    notice = study.purpose.notices.get()
    # Still a yes, but another one.
    give_consent(person.actor, person.subject, notice, ["media"], gives_up=CATEGORIES)
    with pytest.raises(ConsentRefused) as refused:
        permit.recheck()
    assert refused.value.reason == ReasonCode.CONSENT_CHANGED
    permit = permit_of(study, person)
    withdraw(person.actor, person.subject, study.purpose)
    with pytest.raises(ConsentRefused) as refused:
        permit.recheck()
    assert refused.value.reason == ReasonCode.CONSENT_WITHDRAWN


def test_a_permit_dies_with_the_retention_and_the_purpose(fresh_db: None) -> None:
    study = open_study()
    person = consenting(study)
    kept = permit_of(study, person, timezone.now() + timedelta(hours=1))
    kept.recheck()
    with (
        time_machine.travel(timezone.now() + timedelta(hours=2)),
        pytest.raises(ConsentRefused) as refused,
    ):
        kept.recheck()
    assert refused.value.reason == ReasonCode.RETENTION_PASSED
    close_purpose(study.administrator.actor, study.purpose.id)
    with pytest.raises(ConsentRefused) as refused:
        kept.recheck()
    assert refused.value.reason == ReasonCode.PURPOSE_NOT_OPEN


def test_the_state_can_be_rebuilt_from_its_events(fresh_db: None) -> None:
    from django.db import transaction

    study = open_study()
    person = consenting(study, categories=["media", "expression"])
    with transaction.atomic():
        held = lock_state(person.subject.id, study.purpose.id)
    last = person.subject.consent_events.filter(kind="given").latest("sequence")
    assert held.event_id == last.id
    assert held.categories == last.categories == ["media", "expression"]
    assert held.valid_until == last.valid_until
    assert held.sequence == person.subject.consent_events.count()
