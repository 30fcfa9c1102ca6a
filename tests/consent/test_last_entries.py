"""The tag key dies last: after the final erasure, when its receipt was taken or offered long enough."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone

from audit_log.actions import Action
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from consent.erasure import record_final
from consent.errors import InvalidHold, ReferenceTaken
from consent.holds import end_holds, lift_hold, place_hold
from consent.last_entries import end_tags
from consent.models import ConsentState, ErasureRequest, HoldReason, LegalHold, SubjectReference
from consent.subjects import register_subject
from emotion.erasure import drain
from tests.breaches import breach_told
from tests.cast import PHOTO, Person, Study, come_in, consent, upload
from vault.epochs import rotate
from vault.errors import KeyDestroyed
from vault.tags import destroy_tag_key, tagger

pytestmark = pytest.mark.usefixtures("fresh_db")


def withdraw_finally(person: Person, study: Study) -> ErasureRequest:
    """A withdrawal through to T2."""
    answer = person.browser.post(reverse("consent_withdraw", args=[study.purpose.id]))
    assert answer.status_code == 302
    drain()
    rotate()
    integrate_once()
    assert record_final() >= 1
    integrate_once()
    return ErasureRequest.objects.whole().latest("requested_at")


def receipt(person: Person, request: ErasureRequest) -> Any:
    return person.browser.get(reverse("erasure_receipt", args=[request.id])).json()


def is_destroyed(person: Person, study: Study) -> bool:
    try:
        tagger(person.subject.id, study.purpose.id)
    except KeyDestroyed:
        return True
    return False


def test_it_dies_when_the_final_receipt_was_taken(study: Study, person: Person) -> None:
    tag = tagger(person.subject.id, study.purpose.id).subject()
    request = withdraw_finally(person, study)
    assert end_tags() == 0, "nobody has the receipt yet"
    assert receipt(person, request)["erasure"]["t2"]
    assert (end_tags(), end_tags()) == (1, 0)
    assert is_destroyed(person, study)
    integrate_once()
    last = LogEntry.objects.about_subject([tag]).newest_first()[0]
    assert last.action == Action.TAGS_DESTROY
    request.refresh_from_db()
    assert str(last.entry_id) in request.entry_ids
    # What needed the tags still answers, and says less.
    home = person.browser.get(reverse("subject_home")).content.decode()
    assert "Over for good" in home
    assert reverse("consent_notice", args=[study.purpose.id]) not in home
    assert person.browser.get(reverse("access_history")).status_code == 200
    assert len(receipt(person, request)["entries"]) == len(request.entry_ids)
    given = person.subject.consent_events.get(kind="given")
    mine = person.browser.get(reverse("consent_receipt", args=[given.id])).json()
    assert mine["entries"] == []
    for name in ("consent_notice", "consent_withdraw", "consent_change"):
        assert person.browser.get(reverse(name, args=[study.purpose.id])).status_code == 404


def test_it_dies_thirty_days_after_the_end_at_the_latest(study: Study, person: Person) -> None:
    withdraw_finally(person, study)
    with time_machine.travel(timezone.now() + timedelta(days=29), tick=True):
        assert end_tags() == 0
    with time_machine.travel(timezone.now() + timedelta(days=30, minutes=1), tick=True):
        assert end_tags() == 1
    assert is_destroyed(person, study)


def test_a_receipt_of_an_unfinished_erasure_ends_nothing(study: Study, person: Person) -> None:
    person.browser.post(reverse("consent_withdraw", args=[study.purpose.id]))
    drain()
    request = ErasureRequest.objects.whole().get()
    assert receipt(person, request)["erasure"]["t2"] is None
    rotate()
    record_final()
    assert end_tags() == 0
    assert not is_destroyed(person, study)


def test_whoever_consents_anew_keeps_their_tags(study: Study, person: Person) -> None:
    request = withdraw_finally(person, study)
    consent(person, study.purpose)
    receipt(person, request)
    with time_machine.travel(timezone.now() + timedelta(days=60), tick=True):
        assert end_tags() == 0
    assert not is_destroyed(person, study)
    assert upload(
        study.key(), person.reference, study.purpose.id, PHOTO.read_bytes()
    ).status_code == 202  # fmt: skip


def test_nothing_is_written_about_them_any_more_and_the_reference_is_free(
    study: Study, person: Person
) -> None:
    request = withdraw_finally(person, study)
    receipt(person, request)
    end_tags()
    assert not SubjectReference.objects.exists(), "nobody can try references against it"
    unknown = upload(study.key(), person.reference, study.purpose.id, PHOTO.read_bytes())
    assert unknown.status_code == 404
    again = come_in(study, person.reference)
    assert again.subject.id != person.subject.id
    consent(again, study.purpose)


def test_a_known_address_is_told_that_it_has_ended(study: Study) -> None:
    person = come_in(study, "P-001", email="alice@example.org")
    consent(person, study.purpose)
    receipt(person, withdraw_finally(person, study))
    end_tags()
    with pytest.raises(ReferenceTaken, match="erased for good"):
        register_subject(
            study.administrator.actor, study.purpose, reference="P-9", email="alice@example.org"
        )


def test_a_kill_between_the_last_entry_and_the_key_is_made_good(
    study: Study, person: Person
) -> None:
    ConsentState.objects.update(tags_ended_at=timezone.now(), status="withdrawn")
    assert not is_destroyed(person, study)
    assert (end_tags(), end_tags()) == (1, 0)
    assert is_destroyed(person, study)


def hold(study: Study, person: Person, days: int = 60) -> LegalHold:
    officer, until = study.officer, timezone.now() + timedelta(days=days)
    return place_hold(
        officer.actor,
        officer.user,
        study.purpose,
        reason=HoldReason.LEGAL_CLAIM,
        ends_at=until,
        subject_id=person.subject.id,
    )


@pytest.mark.parametrize("lifted", [True, False])
def test_under_a_hold_they_live_on_and_its_end_ends_them(
    study: Study, person: Person, lifted: bool
) -> None:
    withdraw_finally(person, study)
    held = hold(study, person)
    with time_machine.travel(timezone.now() + timedelta(days=31), tick=True):
        assert end_tags() == 0
        assert not is_destroyed(person, study)
        if lifted:
            lift_hold(study.officer.actor, study.officer.user, held.id)
            assert end_tags() == 1
    if not lifted:
        with time_machine.travel(timezone.now() + timedelta(days=61), tick=True):
            assert (end_holds(), end_tags()) == (1, 1)
    assert is_destroyed(person, study)


@pytest.mark.parametrize("lifted", [True, False])
def test_a_hold_whose_tags_ended_after_the_backup_ends_all_the_same(
    study: Study, person: Person, lifted: bool
) -> None:
    held = hold(study, person, days=10)
    destroy_tag_key(person.subject.id, study.purpose.id)  # no backup brings it back
    if lifted:
        lift_hold(study.officer.actor, study.officer.user, held.id)
    else:
        with time_machine.travel(timezone.now() + timedelta(days=11), tick=True):
            assert end_holds() == 1
    assert not LegalHold.objects.standing().exists()
    integrate_once()
    last = LogEntry.objects.filter(action=Action.HOLD_LIFT if lifted else Action.HOLD_END).get()
    assert not last.subject_tag, "nobody can be named any more"


def test_of_whom_nothing_is_left_nothing_is_held(study: Study, person: Person) -> None:
    breach = breach_told(study)
    placing = reverse("operate_hold_place", args=[study.purpose.id])
    receipt(person, withdraw_finally(person, study))
    assert end_tags() == 1
    officer = study.officer.sign_in()
    record = officer.get(reverse("operate_breach", args=[breach.id])).content.decode()
    assert person.subject.id.hex[-8:] in record
    assert placing not in record
    until = (timezone.now().date() + timedelta(days=20)).isoformat()
    form = {"reason": "complaint", "until": until, "name": study.purpose.name, "whom": "one"}
    page = officer.post(placing, form | {"number": str(person.subject.id)})
    assert page.status_code == 422
    assert "nothing of theirs is left to hold" in page.content.decode()
    with pytest.raises(InvalidHold, match="over for good"):
        hold(study, person)
    assert not LegalHold.objects.exists()
