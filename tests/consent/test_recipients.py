"""Recipients are asked for the same erasure, and confirm it; a person sees who has."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from uuid_utils.compat import uuid7

from accounts.models import ApiClient, Scope
from audit_log.actions import Action
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from consent.holds import lift_hold, place_hold
from consent.last_entries import destroy_ended_tags, write_last_entry
from consent.models import ConsentState, ErasureRequest, HoldReason, Telling, TellingKind
from consent.webhooks import create_webhook, disable_webhook
from emotion.erasure import drain
from tests.cast import PHOTO, Study, api_get, consenting, open_study, upload
from vault.tags import tagger

pytestmark = pytest.mark.usefixtures("fresh_db")


def used(study: Study, *scopes: Scope) -> str:
    """The key of a client that has asked at least once."""
    key = study.key(*scopes)
    assert open_erasures(key) == []
    return key


def open_erasures(key: str) -> list[dict[str, Any]]:
    answer = api_get(key, "api_erasures")
    assert answer.status_code == 200, answer.content
    return list(answer.json())


def acknowledge(key: str, telling_id: object) -> Any:
    return Client().post(
        reverse("api_erasure_acknowledge", args=[telling_id]),
        headers={"Authorization": f"Bearer {key}"},
    )


def entries(action: Action) -> list[LogEntry]:
    integrate_once()
    return list(LogEntry.objects.filter(action=action))


def test_every_client_of_the_purpose_that_was_used_is_asked_and_no_other(study: Study) -> None:
    lab, archive = used(study), used(study, Scope.CONSENT_REQUEST)
    unused, elsewhere = study.key(), used(open_study())
    person = consenting(study)
    left = reverse("consent_withdraw", args=[study.purpose.id])
    assert person.browser.post(left).status_code == 302
    (asked,) = open_erasures(lab)
    reference = person.subject.references.get()
    assert (asked["subject"], asked["category"], asked["recording"]) == (
        str(reference.id), None, None,
    )  # fmt: skip
    assert len(open_erasures(archive)) == 1, "to obey needs no scope"
    assert open_erasures(unused) == open_erasures(elsewhere) == []

    assert acknowledge(archive, asked["id"]).status_code == 404, "each confirms its own"
    assert acknowledge(elsewhere, asked["id"]).status_code == 404
    assert Client().post(
        reverse("api_erasure_acknowledge", args=[asked["id"]])
    ).status_code == 401  # fmt: skip
    first = acknowledge(lab, asked["id"])
    assert (first.status_code, first.json()["id"]) == (200, asked["id"])
    again = acknowledge(lab, asked["id"])
    assert again.json() == first.json(), "saying it again changes nothing"
    assert open_erasures(lab) == []
    assert len(open_erasures(archive)) == 1

    (entry,) = entries(Action.ERASURE_ACKNOWLEDGED)
    client = ApiClient.objects.earliest("id")
    assert entry.actor == f"client:{client.id}"
    assert bytes(entry.subject_tag) == tagger(person.subject.id, study.purpose.id).subject()
    looked = person.browser.get(reverse("access_history")).content.decode()
    assert "A program confirmed that it erased what it had of you" in looked
    receipt = person.browser.get(
        reverse("erasure_receipt", args=[ErasureRequest.objects.get().id])
    ).json()
    told = receipt["erasure"]["recipients"]
    assert [bool(each["acknowledged_at"]) for each in told] == [True, False]
    assert len(receipt["entries"]) >= len(ErasureRequest.objects.get().entry_ids) + 1


def test_whose_webhook_was_moved_is_asked_once(study: Study) -> None:
    key, actor = used(study), study.administrator.actor
    client = ApiClient.objects.get()
    for name in ("old", "older", "new"):
        made, _secret = create_webhook(actor, client, f"https://{name}.example.org/", [])
        if name != "new":
            disable_webhook(actor, made)
    person = consenting(study)
    person.browser.post(reverse("consent_withdraw", args=[study.purpose.id]))
    assert len(open_erasures(key)) == 1
    told = Telling.objects.values_list("kind", flat=True)
    assert sorted(told) == [TellingKind.WITHDRAWN, TellingKind.ERASURE]
    with pytest.raises(IntegrityError), transaction.atomic():
        again = Telling.objects.erasures().get()
        again.pk = None
        again.id = uuid7()
        again.save(force_insert=True)


def test_a_part_that_is_stopped_is_asked_for_by_its_category(study: Study) -> None:
    key = used(study)
    person = consenting(study)
    person.browser.post(
        reverse("consent_change", args=[study.purpose.id]), {"step": "stop:blendshapes"}
    )
    (asked,) = open_erasures(key)
    assert asked["category"] == "blendshapes"
    assert not Telling.objects.exclude(kind=TellingKind.ERASURE).exists(), "nobody has a webhook"


def test_only_a_disputed_recording_is_asked_for_alone(study: Study) -> None:
    key = used(study)
    person = consenting(study)
    sent = upload(key, "P-001", study.purpose.id, PHOTO.read_bytes()).json()["id"]
    person.browser.post(reverse("own_dispute", args=[sent]))
    person.browser.post(reverse("own_dispute_erase", args=[sent]))
    (asked,) = open_erasures(key)
    assert asked["recording"] == sent


def test_an_account_that_is_closed_asks_for_each_purpose_and_not_for_the_address(
    study: Study,
) -> None:
    key = used(study)
    person = consenting(study)
    page = person.browser.post(reverse("close_account"), {"sure": "on"})
    assert page.status_code in {200, 302}, page.content
    assert ErasureRequest.objects.count() == 2
    assert len(open_erasures(key)) == 1


def test_when_the_tags_are_gone_the_client_can_still_confirm_and_nothing_names_the_person(
    study: Study,
) -> None:
    late, early = used(study), used(study)
    person = consenting(study)
    person.browser.post(reverse("consent_withdraw", args=[study.purpose.id]))
    drain()
    assert acknowledge(early, open_erasures(early)[0]["id"]).status_code == 200
    ErasureRequest.objects.update(
        final_at=timezone.now() - timedelta(days=40), receipt_taken_at=timezone.now()
    )
    write_last_entry(person.subject.id, study.purpose.id)
    destroy_ended_tags()
    assert ConsentState.objects.get().tags_destroyed_at
    kept = Telling.objects.exclude(acknowledged_at=None).get()
    assert kept.reference_id is None
    (asked,) = open_erasures(late)
    assert asked["subject"], "what is still to be erased must be found there"
    assert acknowledge(late, asked["id"]).status_code == 200
    assert not Telling.objects.exclude(reference_id=None).exists()
    first, last = sorted(entries(Action.ERASURE_ACKNOWLEDGED), key=lambda each: each.index)
    assert bytes(first.subject_tag)
    assert not bytes(last.subject_tag)


def test_what_is_not_confirmed_in_three_days_is_shown_to_administrators(study: Study) -> None:
    used(study)
    person = consenting(study)
    person.browser.post(reverse("consent_withdraw", args=[study.purpose.id]))
    assert not Telling.objects.missing().exists()
    Telling.objects.update(created_at=timezone.now() - timedelta(days=3, minutes=1))
    admin = study.administrator.sign_in()
    assert "or was not confirmed" in admin.get(reverse("operate_home")).content.decode()
    assert "1 open" in admin.get(reverse("operate_clients")).content.decode()
    ApiClient.objects.update(revoked_at=timezone.now())
    assert not Telling.objects.missing().exists(), "it could not confirm any more"


def test_while_a_hold_stands_nobody_is_asked_to_destroy_evidence(study: Study) -> None:
    key = used(study)
    person = consenting(study)
    officer = study.officer
    hold = place_hold(
        officer.actor,
        officer.user,
        study.purpose,
        reason=HoldReason.LEGAL_CLAIM,
        ends_at=timezone.now() + timedelta(days=5),
    )
    person.browser.post(reverse("consent_withdraw", args=[study.purpose.id]))
    assert open_erasures(key) == []
    Telling.objects.update(created_at=timezone.now() - timedelta(days=4))
    assert not Telling.objects.missing().exists()
    lift_hold(officer.actor, officer.user, hold.id)
    assert len(open_erasures(key)) == 1
