"""Duties 1 to 3: the consent record and its receipts; duty 4 stands with the notices."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from audit_log.sequencer import integrate_once
from consent.models import ConsentEvent, EventKind
from tests.cast import CONTROLLER, Person, come_in, consent, open_study
from vault.tags import tagger

pytestmark = pytest.mark.usefixtures("fresh_db")
Json = dict[str, Any]


def receipt_of_a_yes(form: str = "") -> tuple[Person, ConsentEvent, Json]:
    study = open_study()
    person = come_in(study)
    consent(person, study.purpose, ["media", "expression"])
    integrate_once()
    event = ConsentEvent.objects.get(kind=EventKind.GIVEN)
    address = reverse("consent_receipt", args=[event.id])
    answer = person.browser.get(address, {"form": form} if form else {})
    assert answer.status_code == 200
    return person, event, answer.json()


def test_duty_01_every_record_says_what_a_consent_record_says() -> None:
    person, event, receipt = receipt_of_a_yes()
    record = receipt["dct:source"]
    (outer,) = record["dpv:hasProcess"]
    assert record["dct:conformsTo"] == "dpv-27560:record-eu-gdpr"
    assert len(record["dpv:hasIdentifier"]) == 36
    tags = tagger(person.subject.id, event.purpose_id)
    assert record["dpv:hasDataSubject"]["dpv:hasIdentifier"] == tags.subject().hex()
    assert str(person.subject.id) not in str(receipt)
    (notice,) = record["dpv:hasNotice"]
    assert notice["spdx:checksum"]["spdx:checksumValue"] == event.notice_sha256
    assert record["dct:language"] == notice["dct:language"] == "en"
    (purpose,) = outer["dpv:hasPurpose"]
    assert purpose["skos:prefLabel"] == "Story study"
    (controller,) = outer["dpv:hasDataController"]
    named = record["dpv:hasEntity"][controller]
    assert named["@type"] == ["dpv:DataController"]
    assert len(named["dpv:hasIdentifier"]) == 36
    for field in ("name", "address", "contact"):
        assert named[f"dpv:has{field.capitalize()}"] == CONTROLLER[field]
    assert "laboratory" in outer["dpv:hasStorageCondition"][0]["dpv:hasLocation"]["skos:prefLabel"]
    assert outer["dpv:hasJurisdiction"]["skos:prefLabel"] == "Germany (EU)"
    (who,) = outer["dpv:hasRecipient"]
    assert record["dpv:hasEntity"][who]["dpv:hasName"] == "The researchers of this study"
    (control,) = outer["dpv:hasConsentControl"]
    path = control["dpv:isExercisedAt"].partition("/me/")[2]
    assert person.browser.get(f"/me/{path}").status_code == 200, "the page that withdraws"
    for inner in outer["dpv:hasProcess"]:
        assert inner["dpv:hasPersonalData"][0]["skos:prefLabel"]
        assert inner["dpv:hasStorageCondition"][0]["dpv:hasDuration"]["rdf:value"]
        events = inner["dpv:hasConsentStatus"]
        assert [e["dct:type"] for e in events] == ["requested", "notice-shown", "given"]
        for each in events:
            assert each["dpv:isIndicatedAtTime"]
            assert each["dpv:hasDuration"]["rdf:value"]
            assert each["dpv:isIndicatedBy"] in record["dpv:hasEntity"]
            assert each["@type"][1] == "dpv:ExplicitlyExpressedConsent"
            assert each["@type"][0].startswith("dpv:Consent")


def test_duty_02_it_says_what_the_gdpr_adds() -> None:
    _person, _event, receipt = receipt_of_a_yes()
    record = receipt["dct:source"]
    (outer,) = record["dpv:hasProcess"]
    assert "eu-gdpr:A9-2-a" in outer["dpv:hasLegalBasis"]
    assert {"eu-gdpr:A7-3", "eu-gdpr:A15", "eu-gdpr:A17", "eu-gdpr:A77"} <= set(
        outer["dpv:hasRight"]
    )
    authority = record["dpv:hasEntity"][outer["dpv:hasAuthority"]]
    assert authority["dpv:hasName"].startswith("Example Authority")
    assert outer["dpv:hasPurpose"][0]["skos:scopeNote"], "why it is necessary"
    needed = {p["dct:identifier"]: p["dpv:hasNecessity"] for p in outer["dpv:hasProcess"]}
    assert needed == {
        "media": "dpv:Required",
        "expression": "dpv:Optional",
        "blendshapes": "dpv:Optional",
    }
    for inner in outer["dpv:hasProcess"]:
        assert "dpv:SpecialCategoryPersonalData" in inner["dpv:hasPersonalData"][0]["@type"]


def test_duty_03_a_receipt_has_its_own_id_and_version_and_a_kantara_form() -> None:
    _person, event, receipt = receipt_of_a_yes()
    record = receipt["dct:source"]
    ids = {receipt["dpv:hasIdentifier"], record["dpv:hasIdentifier"], str(event.id)}
    assert len(ids) == 3
    assert receipt["dct:conformsTo"] == "dpv-27560:receipt-eu-gdpr"
    assert receipt["dct:hasVersion"] == "1"


def test_duty_03_kantara_has_its_fields() -> None:
    _person, event, receipt = receipt_of_a_yes("kantara")
    assert receipt["version"] == "KI-CR-v1.1.0"
    assert receipt["consentTimestamp"] == int(event.at.timestamp())
    assert isinstance(receipt["consentTimestamp"], int)
    assert receipt["collectionMethod"] == "web form"
    assert receipt["consentReceiptID"]
    assert str(event.notice_id) in receipt["policyUrl"]
    (service,) = receipt["services"]
    assert [p["piiCategory"][0] for p in service["purposes"]] == [
        "Photographs of my face",
        "Apparent expression",
    ]
    assert receipt["publicKey"] == receipt["verifier_key"]
