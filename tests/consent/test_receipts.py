"""Receipts of consent: every kind of event, both forms, against their schemas and as linked data."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from jsonschema import Draft202012Validator
from rdflib import Graph, Literal, Namespace, URIRef
from rdflib.namespace import RDF
from uuid_utils.compat import uuid7

from audit_log.models import LogEntry, PendingEntry
from audit_log.sequencer import integrate_once
from audit_log.signing import verifier_key
from consent.models import ConsentEvent, EventKind
from consent.notices import Change, publish_notice
from consent.receipts import UNRECEIPTED
from consent.retention import expire_consents
from emotion.erasure import drain
from tests.cast import Person, Study, come_in, consent, consenting, open_study
from tests.processes import wait_for
from vault.tags import destroy_tag_key

pytestmark = pytest.mark.usefixtures("fresh_db")
Json = dict[str, Any]
DPV = Namespace("https://w3id.org/dpv#")
SCHEMAS = settings.BASE_DIR / "consent" / "schemas"
EVERY_KIND = set(EventKind) - UNRECEIPTED


def validator(name: str) -> Draft202012Validator:
    schema = json.loads((SCHEMAS / name).read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


RECEIPT = validator("consent-receipt.schema.json")
KANTARA = validator("kantara-1.1.schema.json")


def change(person: Person, study: Study, step: str) -> None:
    address = reverse("consent_change", args=[study.purpose.id])
    assert person.browser.post(address, {"step": step}).status_code == 302


def every_event(study: Study) -> tuple[Person, Person]:
    """Two people to whom, together, everything happens that can happen to a consent."""
    person, other = consenting(study, "P-1"), come_in(study, "P-2")
    notice = reverse("consent_notice", args=[study.purpose.id])
    page = other.browser.get(notice)
    shown = {"notice": page.context["notice"].id, "decision": "refuse"}
    assert other.browser.post(notice, shown).status_code == 302
    consent(person, study.purpose)
    change(person, study, "pause")
    change(person, study, "resume")
    change(person, study, "stop:blendshapes")
    drain()
    texts = {"en": ("Smiles", "Twice.", "All of it.")}
    publish_notice(
        study.administrator.actor, study.purpose, texts, Change({"en": "More."}, substantive=True)
    )
    consent(person, study.purpose, ["media", "blendshapes"])
    with time_machine.travel(timezone.now() + timedelta(days=366)):
        assert expire_consents() == 1
        drain()
    withdraw = reverse("consent_withdraw", args=[study.purpose.id])
    assert person.browser.post(withdraw).status_code == 302
    integrate_once()
    return person, other


def receipts(person: Person, form: str = "") -> dict[EventKind, Json]:
    """The last receipt of each kind, downloaded."""
    found = {}
    for event in person.subject.consent_events.order_by("sequence"):
        answer = person.browser.get(
            reverse("consent_receipt", args=[event.id]), {"form": form} if form else {}
        )
        if answer.status_code == 200:
            assert "attachment" in answer.headers["Content-Disposition"]
            found[EventKind(event.kind)] = answer.json()
    return found


def required(schema: Json, document: Any, root: Json, path: tuple[Any, ...] = ()) -> Iterator[Any]:
    """The path of every member that a document has and its schema demands."""
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    for choice in schema.get("oneOf", ()):
        if Draft202012Validator(choice | {"$defs": root["$defs"]}).is_valid(document):
            schema = choice
    if isinstance(document, dict):
        for name, value in document.items():
            inner = schema.get("properties", {}).get(name, {})
            if name in schema.get("required", ()):
                yield (*path, name)
            yield from required(inner, value, root, (*path, name))
    elif isinstance(document, list):
        for number, value in enumerate(document[:1]):
            yield from required(schema.get("items", {}), value, root, (*path, number))


def without(document: Json, path: tuple[Any, ...]) -> Json:
    changed = copy.deepcopy(document)
    at: Any = changed
    for step in path[:-1]:
        at = at[step]
    del at[path[-1]]
    return changed


def statuses(receipt: Json, category: str) -> list[Json]:
    (outer,) = receipt["dct:source"]["dpv:hasProcess"]
    (inner,) = [p for p in outer["dpv:hasProcess"] if p["dct:identifier"] == category]
    found: list[Json] = inner["dpv:hasConsentStatus"]
    return found


def test_a_receipt_of_every_kind_of_event_fits_the_schema() -> None:
    study = open_study()
    person, other = every_event(study)
    found = receipts(person) | receipts(other)
    assert set(found) == EVERY_KIND
    for kind, document in found.items():
        RECEIPT.validate(document)
        assert statuses(document, "media")[-1]["dct:type"] == kind
        assert len(document["entries"]) in {1, 2}, kind
    assert len({each["dpv:hasIdentifier"] for each in found.values()}) == len(EVERY_KIND)
    assert len({each["dct:source"]["dpv:hasIdentifier"] for each in found.values()}) == 2


def test_without_any_required_field_a_receipt_does_not_fit() -> None:
    study = open_study()
    person = consenting(study)
    integrate_once()
    for form, schema in (("", RECEIPT), ("kantara", KANTARA)):
        document = receipts(person, form)[EventKind.GIVEN]
        schema.validate(document)
        paths = list(required(schema.schema, document, schema.schema))
        assert len(paths) > 20
        for path in paths:
            assert not schema.is_valid(without(document, path)), path


def test_each_category_tells_its_own_history() -> None:
    study = open_study()
    person, _other = every_event(study)
    last = receipts(person)[EventKind.WITHDRAWN]
    told = {
        category: [
            (each["dct:type"], each["@type"][0].removeprefix("dpv:"))
            for each in statuses(last, category)
            if each["dct:type"] not in {"requested", "notice-shown"}
        ]
        for category in ("media", "expression", "blendshapes")
    }
    assert told["media"] == [
        ("given", "ConsentGiven"),
        ("re-affirmed", "RenewedConsentGiven"),
        ("restricted", "ConsentGiven"),
        ("resumed", "ConsentGiven"),
        ("narrowed", "ConsentGiven"),
        ("renewed", "RenewedConsentGiven"),
        ("expired", "ConsentExpired"),
        ("withdrawn", "ConsentWithdrawn"),
    ]
    assert told["expression"][5] == ("renewed", "ConsentWithdrawn")
    assert told["blendshapes"][4] == ("narrowed", "ConsentWithdrawn")
    assert told["blendshapes"][5] == ("renewed", "RenewedConsentGiven")


def test_a_receipt_says_the_same_whenever_it_is_downloaded() -> None:
    study = open_study()
    person = consenting(study)
    integrate_once()
    before = receipts(person)[EventKind.GIVEN]
    change(person, study, "pause")
    withdraw = reverse("consent_withdraw", args=[study.purpose.id])
    assert person.browser.post(withdraw).status_code == 302
    integrate_once()
    after = receipts(person)[EventKind.GIVEN]
    stated = before.keys() - {"entries"}
    assert {k: before[k] for k in stated} == {k: after[k] for k in stated}


@pytest.mark.filterwarnings("ignore::DeprecationWarning:rdflib")  # its own reader of JSON-LD
def test_the_receipt_is_linked_data_that_needs_nothing_fetched() -> None:
    study = open_study()
    person = consenting(study, categories=["media", "expression"])
    integrate_once()
    document = receipts(person)[EventKind.GIVEN]
    graph = Graph().parse(data=json.dumps(document), format="json-ld")
    (receipt,) = graph.subjects(RDF.type, DPV.ConsentReceipt)
    (record,) = graph.subjects(RDF.type, DPV.ConsentRecord)
    assert receipt != record
    assert set(graph.objects(record, DPV.hasIdentifier)) == {
        Literal(document["dct:source"]["dpv:hasIdentifier"])
    }
    controllers = list(graph.objects(None, DPV.hasDataController))
    assert [str(name) for c in controllers for name in graph.objects(c, DPV.hasName)] == [
        "Example University"
    ]
    assert len(set(graph.subjects(RDF.type, DPV.ConsentGiven))) == 2
    assert len(set(graph.subjects(RDF.type, DPV.ConsentRefused))) == 1, "the box left empty"
    gdpr = Namespace("https://w3id.org/dpv/legal/eu/gdpr#")
    assert (None, DPV.hasLegalBasis, gdpr["A9-2-a"]) in graph
    (subject,) = set(graph.objects(record, DPV.hasDataSubject))
    assert (subject, RDF.type, DPV.DataSubject) in graph
    hosts = {str(each).split("/")[2] for triple in graph for each in triple
             if isinstance(each, URIRef) and str(each).startswith("http")}  # fmt: skip
    assert hosts <= {"w3id.org", "purl.org", "www.w3.org", "spdx.org"}


def test_both_forms_carry_proofs_that_the_one_file_verifier_checks(tmp_path: Path) -> None:
    study = open_study()
    person = consenting(study)
    integrate_once()
    program = settings.BASE_DIR / "tools" / "verify_access_log.py"
    for form in ("", "kantara"):
        file = tmp_path / f"receipt{form}.json"
        document = receipts(person, form)[EventKind.GIVEN]
        file.write_text(json.dumps(document))
        command = [sys.executable, str(program), "receipt", str(file), "--key", verifier_key()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, done.stdout
        for what in ("notice:show", "consent:give", "verified: 2 entries"):
            assert what in done.stdout


def test_kantara_knows_only_a_yes() -> None:
    study = open_study()
    person, other = every_event(study)
    found = receipts(person, "kantara") | receipts(other, "kantara")
    assert set(found) == {
        EventKind.GIVEN,
        EventKind.REAFFIRMED,
        EventKind.RENEWED,
        EventKind.NARROWED,
    }
    for document in found.values():
        KANTARA.validate(document)
    event = ConsentEvent.objects.get(kind=EventKind.RENEWED)
    renewed = found[EventKind.RENEWED]
    assert renewed["consentTimestamp"] == int(event.at.timestamp())
    (service,) = renewed["services"]
    assert [each["piiCategory"] for each in service["purposes"]] == [
        ["Photographs of my face"],
        ["Facial movements (blendshapes)"],
    ]
    address = reverse("consent_receipt", args=[event.id])
    assert person.browser.get(address, {"form": "something"}).status_code == 404


def test_the_history_is_told_in_words_with_the_page_that_was_read() -> None:
    study = open_study()
    person, other = every_event(study)
    address = reverse("consent_history", args=[study.purpose.id])
    page = person.browser.get(address).content.decode()
    for words in ("You said yes anew", "You paused it", "You stopped a part of it", "You withdrew",
                  "Your consent ended by itself"):  # fmt: skip
        assert words in page
    for event in person.subject.consent_events.all():
        link = reverse("consent_receipt", args=[event.id])
        assert (link in page) == (event.kind in EVERY_KIND)
        if event.notice_id and event.language:
            read = f"{reverse('own_notice', args=[event.notice_id])}?in={event.language}"
            assert read in page
            assert person.browser.get(read).status_code == 200
    assert "You said no" in other.browser.get(address).content.decode()


def test_receipts_are_offered_where_a_person_looks_for_them() -> None:
    study = open_study()
    person = consenting(study)
    event = ConsentEvent.objects.get(kind=EventKind.GIVEN)
    link = reverse("consent_receipt", args=[event.id])
    history = reverse("consent_history", args=[study.purpose.id])
    done = person.browser.get(reverse("consent_done", args=[study.purpose.id])).content.decode()
    assert f'href="{link}"' in done
    assert f'href="{link}?form=kantara"' in done
    for name, args in (
        ("subject_home", []),
        ("consent_notice", [study.purpose.id]),
        ("consent_change", [study.purpose.id]),
        ("consent_done", [study.purpose.id]),
    ):
        assert history in person.browser.get(reverse(name, args=args)).content.decode(), name


def test_a_receipt_has_promises_first_and_proofs_later() -> None:
    """No sequencer runs here, so the newest entries are not in the tree when the receipt is taken."""
    study = open_study()
    person = consenting(study)
    for form, schema in (("", RECEIPT), ("kantara", KANTARA)):
        early = receipts(person, form)[EventKind.GIVEN]
        schema.validate(early)
        assert [set(each) for each in early["entries"]] == [{"entry", "promise"}] * 2
        assert "a signed promise" in early["says"]
    integrate_once()
    for form in ("", "kantara"):
        late = receipts(person, form)[EventKind.GIVEN]
        assert [set(each) for each in late["entries"]] == [{"entry", "proof"}] * 2
        assert not {"says", "promise_certificate"} & set(late)


def test_a_damaged_entry_that_waits_takes_away_nobodys_receipt() -> None:
    """It stays where it is for ever, because nobody may delete it."""
    study = open_study()
    person = consenting(study)
    integrate_once()
    PendingEntry.objects.create(
        entry_id=uuid7(), created=timezone.now(), leaf_hash=bytes(32), body=b"garbage"
    )
    integrate_once()
    assert PendingEntry.objects.count() == 1
    document = receipts(person)[EventKind.GIVEN]
    assert [set(each) for each in document["entries"]] == [{"entry", "proof"}] * 2


@pytest.mark.processes
def test_a_receipt_waits_a_moment_for_the_log(keeper: object) -> None:
    study = open_study()
    wait_for(LogEntry.objects.exists, what="the keeper")
    person = consenting(study)
    document = receipts(person)[EventKind.GIVEN]
    assert [len(document["entries"]), document.get("says")] == [2, None]


def test_a_receipt_outlives_the_link_to_the_log() -> None:
    """Once the key of the tags is destroyed, the person stands there as their own row's number."""
    study = open_study()
    person = consenting(study)
    integrate_once()
    destroy_tag_key(person.subject.id, study.purpose.id)
    for form, schema in (("", RECEIPT), ("kantara", KANTARA)):
        document = receipts(person, form)[EventKind.GIVEN]
        schema.validate(document)
        assert document["entries"] == []
        assert "There are no proofs any more" in document["says"]
