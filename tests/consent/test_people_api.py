"""Purposes, people, receipts and log entries by the API: one's own, without names, in few questions."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import Scope
from audit_log.actions import Action
from audit_log.entries import parse
from audit_log.merkle import leaf_hash
from audit_log.models import LogEntry, PendingEntry
from audit_log.sequencer import integrate_once
from audit_log.signing import verifier_key
from consent.holds import place_hold
from consent.models import ConsentStatus, ErasureCause, ErasureRequest, HoldReason, SubjectReference
from consent.notices import Change, publish_notice
from emotion.erasure import drain
from tests.cast import (
    NOTICE,
    Study,
    analysed,
    api,
    api_get,
    consenting,
    draft,
    leave,
    open_study,
)
from tests.consent.test_consent_requests import many_of
from tests.counting import queries_of
from tools import verify_access_log

pytestmark = pytest.mark.usefixtures("fresh_db")


def entries() -> int:
    return LogEntry.objects.count() + PendingEntry.objects.count()


def test_a_purpose_says_what_a_person_must_know_and_nothing_internal() -> None:
    study = open_study(looked_again="SECRET-LOOK")
    words = {
        "en": ("Smiles 2", "We photograph your face.", "All."),
        "de": ("Lächeln", "Wir.", "Alles."),
    }
    new = Change({"en": "Shorter.", "de": "Kürzer."}, substantive=True)
    publish_notice(study.administrator.actor, study.purpose, words, new)
    key, other = study.key(Scope.WEBHOOKS_MANAGE), open_study()
    before = entries()
    found = api_get(key, "api_purpose", study.purpose.id)
    assert found.status_code == 200, found.content
    told = found.json()
    assert (told["name"], told["state"]) == ("Story study", "open")
    assert (told["photographs"], told["films"], told["moments_a_second"]) == (True, False, None)
    assert [each["category"] for each in told["categories"]] == [
        "media",
        "expression",
        "blendshapes",
    ]
    assert [each["needed"] for each in told["categories"]] == [True, False, False]
    assert told["categories"][1]["name"] == "Apparent expression"
    assert told["retention"] == {
        "media_days": 7, "media_kept": False, "result_days": 30, "consent_days": 365,
    }  # fmt: skip
    notice = told["notice"]
    assert notice["version"] == 2
    assert [text["language"] for text in notice["texts"]] == ["de", "en"]
    assert notice["texts"][0]["title"] == "Lächeln"
    assert notice["texts"][0]["change"] == "Kürzer."
    stored = study.purpose.notices.get(version=2, language="de")
    assert notice["texts"][0]["sha256"] == stored.sha256
    assert notice["texts"][0]["choices"][1]["name"] != "Apparent expression", "in its own language"
    said = found.content.decode()
    for inner in (study.researcher.user.email, str(study.researcher.user.id), "SECRET-LOOK"):
        assert inner not in said
    german = api(key).get(
        reverse("api_purpose", args=[study.purpose.id]), headers={"Accept-Language": "de"}
    ).json()  # fmt: skip
    assert german["categories"][1]["name"] == notice["texts"][0]["choices"][1]["name"]

    assert api_get(key, "api_purpose", other.purpose.id).status_code == 404
    listed = api_get(key, "api_purposes").json()["results"]
    assert listed == [told]
    assert api(key).get(reverse("api_purposes"), {"state": "closed"}).status_code == 422
    assert entries() == before, "a state makes no entry"


def test_states_have_a_tag_which_no_other_state_has(study: Study) -> None:
    person = consenting(study)
    key = study.key()
    many_of(study, 2)
    people = [each.id for each in SubjectReference.objects.order_by("id")]
    known: dict[str, Any] = {}
    for name, given in (
        ("api_purposes", []),
        ("api_purpose", [study.purpose.id]),
        ("api_subjects", []),
        ("api_consent_requests", []),
        *(
            (name, [reference])
            for name in (
                "api_subject", "api_consent_request", "api_subject_receipts", "api_subject_consents"
            )
            for reference in people
        ),
    ):  # fmt: skip
        first = api_get(key, name, *given)
        assert first["Cache-Control"] == "private, no-cache"
        assert first["ETag"] not in known, "also of lists that are empty: nobody is like another"
        known[first["ETag"]] = (name, given)
        again = api_get(key, name, *given, If_None_Match=first["ETag"])
        assert (again.status_code, again.content) == (304, b"")
        head = api(key).head(reverse(name, args=given))
        assert (head["ETag"], head.content) == (first["ETag"], b"")
    leave(person, study)
    changed = [
        name
        for tag, (name, given) in known.items()
        if api_get(key, name, *given, If_None_Match=tag).status_code == 200
    ]
    assert sorted(changed) == [
        "api_consent_request", "api_consent_requests", "api_subject", "api_subject_consents",
        "api_subject_receipts", "api_subjects",
    ]  # fmt: skip
    german = {"If-None-Match": next(iter(known)), "Accept-Language": "de"}
    assert api(key).get(reverse("api_purposes"), headers=german).status_code == 200


def test_a_purpose_in_the_making_says_only_that(study: Study) -> None:
    made = draft()
    unopened = Study(made.purpose, made.administrator, made.officer, study.researcher)
    told = api_get(unopened.key(), "api_purpose", made.purpose.id).json()
    assert (told["state"], told["opened_at"]) == ("preparing", None)
    assert told["notice"]["texts"][0]["title"] == NOTICE["en"][0]


def test_people_are_listed_without_names_and_in_few_questions(study: Study) -> None:
    key = study.key(Scope.SUBJECTS_READ)
    person = consenting(study, "P-yes")
    many_of(study, 2, 0)
    address = reverse("api_subjects")
    api(key).get(address)  # the first request of a key and of a minute writes that it came
    few = queries_of(api(key), f"{address}?limit=3")
    many_of(study, 57, 2)
    assert queries_of(api(key), f"{address}?limit=60") == few
    before = entries()
    page = api(key).get(f"{address}?limit=60")
    assert len(page.json()["results"]) == 60
    for secret in ("P-yes", str(person.subject.id), str(person.subject.user_id)):
        assert secret not in page.content.decode()
    given = api(key).get(f"{address}?status=given").json()["results"]
    assert [row["id"] for row in given] == [str(person.subject.references.get().id)]
    assert given[0] == api_get(key, "api_subject", given[0]["id"]).json()
    since = given[0]["changed_at"]
    assert (
        api(key).get(address, {"changed_after": since, "status": "given"}).json()["results"] == []
    )
    earlier = (timezone.now() - timedelta(hours=1)).isoformat()
    assert len(api(key).get(address, {"changed_after": earlier}).json()["results"]) == 50
    for wrong in ("changed_after=yesterday", "changed_after=2026-11-28T09:30:00", "status=ok", "name=P-yes",
                  "changed_after=9999-12-31T23:59:59-23:59", "changed_after="):  # fmt: skip
        answer = api(key).get(f"{address}?{wrong}")
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid"), wrong
        assert "yesterday" not in answer.content.decode()
        if wrong == "status=ok":
            (said,) = answer.json()["errors"]
            assert said == {
                "parameter": "status",
                "detail": f"Expected one of {', '.join(ConsentStatus.values)}; something else came.",
            }
    assert api(key).get(f"{address}?cursor=x").status_code == 422
    assert entries() == before
    assert api(open_study().key()).get(address).json()["results"] == []


@pytest.mark.parametrize("order", ["", "newest"])
def test_whoever_follows_changes_misses_none(study: Study, order: str) -> None:
    """Neither of somebody who was on a page already, nor of somebody on a page to come."""
    key, address = study.key(Scope.SUBJECTS_READ), reverse("api_subjects")
    people = {}
    for name in ("P-1", "P-2", "P-3"):
        person = consenting(study, name)
        people[str(person.subject.references.get().id)] = person
    given = {"order": order} if order else {}
    seen: dict[str, str] = {}
    latest = (timezone.now() - timedelta(hours=1)).isoformat()

    def follow(after: str, meanwhile: Callable[[list[str]], None] = lambda ids: None) -> str:
        """Turn the pages; the latest change that was on them."""
        page = api(key).get(address, {"changed_after": after, "limit": 1} | given)
        moments = [after]
        for number in range(9):
            assert page.status_code == 200, page.content
            for row in page.json()["results"]:
                seen[row["id"]] = row["status"]
                moments.append(row["changed_at"])
            if number == 0:
                meanwhile([each for each in people if each not in seen])
            if page.json()["next"] is None:
                return max(moments)
            page = api(key).get(page.json()["next"])
        raise AssertionError("pages without end")

    def both_leave(unseen: list[str]) -> None:
        (first,) = seen
        for one in (first, unseen[0]):
            leave(people[one], study)

    latest = follow(latest, both_leave)
    assert seen.keys() == people.keys() or order
    follow(latest)
    assert sorted(seen.values()) == ["given", "withdrawn", "withdrawn"]
    by_id = api(key).get(address, {"limit": 1}).json()["next"]
    for wrong in (by_id, f"{address}?cursor=cD03"):
        answer = api(key).get(f"{wrong}&changed_after=2026-01-01T00:00:00Z")
        assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (422, "cursor")


def test_receipts_say_what_was_erased_and_how_many_keys(study: Study) -> None:
    person = consenting(study)
    row = analysed(study)
    key = study.key(Scope.SUBJECTS_READ)
    reference = person.subject.references.get().id
    drain()
    leave(person, study)
    drain()
    receipts = api_get(key, "api_subject_receipts", reference).json()["results"]
    whole, media = receipts
    assert (whole["cause"], whole["recording"], whole["category"]) == ("withdrawal", None, None)
    assert whole["keys_destroyed"] >= 3
    assert whole["keys_destroyed_at"]
    assert whole["rows_removed_at"]
    assert whole["held"] is False
    assert (media["cause"], media["recording"]) == ("media-not-kept", str(row.recording_id))
    said = json.dumps(receipts)
    assert not [
        k for k in ErasureRequest.objects.values_list("key_ids", flat=True) if k and k[0] in said
    ]
    other = open_study().key()
    for name in ("api_subject_receipts", "api_subject_consents"):
        assert api_get(other, name, reference).status_code == 404
        assert api_get(key, name, uuid4()).status_code == 404
        assert api(key).get(reverse(name, args=[reference]) + "?kind=x").status_code == 422


def test_a_hold_is_told_and_other_lives_are_not(study: Study) -> None:
    key = study.key(Scope.SUBJECTS_READ)
    person = consenting(study)
    reference = person.subject.references.get().id
    place_hold(
        study.officer.actor, study.officer.user, study.purpose, reason=HoldReason.LEGAL_CLAIM,
        ends_at=timezone.now() + timedelta(days=5), subject_id=person.subject.id,
    )  # fmt: skip
    leave(person, study)
    (held,) = api_get(key, "api_subject_receipts", reference).json()["results"]
    assert (held["held"], held["keys_destroyed_at"], held["keys_destroyed"]) == (True, None, 0)
    assert "legal-claim" not in json.dumps(held)
    for cause, told in ((ErasureCause.ACCOUNT, "withdrawal"), (ErasureCause.UNUSED, "retention")):
        ErasureRequest.objects.update(cause=cause)
        (seen,) = api_get(key, "api_subject_receipts", reference).json()["results"]
        assert seen["cause"] == told, "not what they did elsewhere"


def test_consents_are_told_without_whom_they_are_about(study: Study) -> None:
    key = study.key(Scope.SUBJECTS_READ)
    person = consenting(study)
    leave(person, study)
    reference = person.subject.references.get().id
    answer = api_get(key, "api_subject_consents", reference)
    ended, given = answer.json()["results"]
    assert [ended["kind"], given["kind"]] == ["withdrawn", "given"]
    notice = study.purpose.notices.get()
    assert given["notice"] == {"version": 1, "language": "en", "sha256": notice.sha256}
    assert given["categories"] == ["media", "expression", "blendshapes"]
    integrate_once()
    history = person.browser.get(reverse("consent_history", args=[study.purpose.id]))
    files = [
        person.browser.get(reverse("consent_receipt", args=[event.id])).json()
        for event in person.subject.consent_events.filter(kind="given")
    ]
    assert history.status_code == 200
    assert files[0]["dpv:hasIdentifier"] == given["id"], "the person's own receipt has the same id"
    tag = files[0]["dct:source"]["dpv:hasDataSubject"]["dpv:hasIdentifier"]
    assert len(tag) == 64
    said = answer.content.decode()
    assert not [each for each in (tag, str(person.subject.id), "P-001") if each in said]


def read_result(key: str, study: Study) -> UUID:
    """The id of the entry of a result that this key reads."""
    row = analysed(study)
    answer = api_get(key, "api_result", row.id, Access_Reason="quality-check")
    return UUID(answer.json()["log_entry"])


def test_a_client_proves_what_it_did_and_only_that(study: Study, tmp_path: Path) -> None:
    consenting(study)
    key, other = study.key(Scope.RESULTS_READ), study.key()
    entry = read_result(key, study)
    early = api_get(key, "api_log_entry_proof", entry)
    assert (early.status_code, early.json()["code"]) == (409, "not-integrated")
    assert early.headers["Retry-After"] == "1"
    promised = api_get(key, "api_log_entry", entry).json()
    assert promised["integrated"] is False
    assert "promise" in promised["receipt"]["entries"][0]
    for name in ("api_log_entry", "api_log_entry_proof"):
        assert api_get(other, name, entry).status_code == 404, "while it waits, too"

    integrate_once()
    told = api_get(key, "api_log_entry", entry).json()
    assert (told["action"], told["outcome"], told["reason"]) == (
        "result:read",
        "ok",
        "quality-check",
    )
    assert told["integrated"] is True
    body = base64.b64decode(told["receipt"]["entries"][0]["entry"])
    assert parse(body).id == entry
    proof = api_get(key, "api_log_entry_proof", entry)
    assert proof.status_code == 200
    assert proof.headers["Content-Type"].startswith("text/plain")
    for accept in ("text/plain", "text/plain, application/problem+json"):
        asked = api_get(key, "api_log_entry_proof", entry, Accept=accept)
        assert (asked.status_code, asked.content) == (200, proof.content)
    refused = api_get(key, "api_log_entry_proof", entry, Accept="application/json")
    assert refused.status_code == 406
    text = proof.content.decode()
    assert text.startswith("c2sp.org/tlog-proof@v1\nindex ")
    stored = LogEntry.objects.get(entry_id=entry)
    assert f"index {stored.index}\n" in text
    assert leaf_hash(body) == bytes(stored.leaf_hash)
    file = tmp_path / "receipt.json"
    file.write_text(json.dumps(told["receipt"]))
    verdict = verify_access_log.main(["receipt", str(file), "--key", verifier_key()])
    assert verdict == 0

    before = entries()
    someone = LogEntry.objects.filter(action=Action.CONSENT_GIVE).get().entry_id
    keepers = LogEntry.objects.filter(actor__startswith="system:").first()
    operators = LogEntry.objects.filter(actor__startswith="operator:").first()
    assert keepers
    assert operators
    for name in ("api_log_entry", "api_log_entry_proof"):
        for id in (someone, keepers.entry_id, operators.entry_id, uuid4()):
            assert api_get(key, name, id).status_code == 404
        assert api_get(other, name, entry).status_code == 404
        assert api_get("cns_x_y", name, entry).status_code == 401
    assert entries() == before, "looking at what one did oneself makes no entry"
