"""A consent record after ISO/IEC TS 27560, as DPV JSON-LD. Pure: rows in, a document out, no query.

A record tells the history of one person's consent to one purpose up to one event. Each data category is
a process of its own, because each is consented to on its own: a box that was left empty stands as refused.
``docs/formats.md`` lists the fields; ``schemas/consent-receipt.schema.json`` is the same as a schema.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext as _

from consent import dpv
from consent.methods import PAPER
from consent.models import (
    ConsentEvent,
    Controller,
    ControllerKind,
    DataCategory,
    EventKind,
    Notice,
    Purpose,
    Sector,
    category_label,
)

Json = dict[str, Any]
LAYOUT = "1"
"""Version of this layout within the DPV schema that the document names."""

PRINCIPAL, AUTHORITY, OFFICER = "_:principal", "_:authority", "_:officer"
A_GUARDIAN = "_:guardian"
SETS_CATEGORIES = {EventKind.GIVEN, EventKind.RENEWED, EventKind.REAFFIRMED, EventKind.NARROWED}
ENDS = {EventKind.WITHDRAWN, EventKind.EXPIRED, EventKind.REFUSED}


@dataclass(frozen=True)
class History:
    """What a record is made of.

    Fields:
        record_id: of the record, the same for every receipt of this consent; principal: the person's
        tag in the access log, hex; parties: the purpose's organisations; events: in order, with their
        notices; site: the address of this installation, without a slash at its end.
    """

    record_id: UUID
    principal: str
    purpose: Purpose
    parties: list[Controller]
    events: list[ConsentEvent]
    site: str


def urn(value: UUID) -> str:
    """An id as an IRI."""
    return f"urn:uuid:{value}"


def consent_record(history: History) -> Json:
    """The record as a JSON-LD node; the context belongs to the document around it."""
    events, last = history.events, history.events[-1]
    read = next((event.language for event in reversed(events) if event.language), "en")
    return {
        "@id": urn(history.record_id),
        "@type": ["dpv:ConsentRecord"],
        "dct:conformsTo": dpv.RECORD_SCHEMA,
        "dct:hasVersion": LAYOUT,
        "dpv:hasIdentifier": str(history.record_id),
        "dpv:hasDataSubject": {"@id": PRINCIPAL, "dpv:hasIdentifier": history.principal},
        "dct:created": events[0].at.isoformat(),
        "dct:modified": last.at.isoformat(),
        "dct:creator": urn(first_controller(history.parties).id),
        "dct:language": read.partition("-")[0],
        "dpv:hasNotice": notices(history),
        "dpv:hasProcess": [process(history)],
        "dpv:hasEntity": entities(history),
    }


def first_controller(parties: list[Controller]) -> Controller:
    """Who answers for the record: the first organisation that is no processor."""
    return next(p for p in parties if p.kind != ControllerKind.PROCESSOR)


def notices(history: History) -> list[Json]:
    """Each page of a notice that an event names, once: version, language and SHA-256 as it was shown."""
    found: dict[tuple[UUID, str], Json] = {}
    for event in history.events:
        if event.notice is not None and event.language:
            found.setdefault((event.notice.id, event.language), shown(event, event.notice, history))
    return list(found.values())


def shown(event: ConsentEvent, notice: Notice, history: History) -> Json:
    """One page of a notice."""
    return {
        "@id": f"{urn(notice.id)}#{event.language}",
        "@type": ["dpv:ConsentNotice"],
        "dpv:hasIdentifier": str(notice.id),
        "dct:title": notice.title,
        "dct:hasVersion": str(notice.version),
        "dct:language": event.language,
        "dct:issued": notice.published_at.isoformat(),
        "spdx:checksum": {
            "@type": "spdx:Checksum",
            "spdx:algorithm": "spdx:checksumAlgorithm_sha256",
            "spdx:checksumValue": event.notice_sha256,
        },
        "dpv:hasLocation": notice_url(history, event),
    }


def notice_url(history: History, event: ConsentEvent) -> str:
    """Where the person reads again the page that an event names."""
    address = reverse("own_notice", args=[event.notice_id])
    return f"{history.site}{address}?in={event.language}"


def entities(history: History) -> Json:
    """Everybody whom the record names, by id."""
    purpose = history.purpose
    found: Json = {urn(party.id): organisation(party) for party in history.parties}
    found[PRINCIPAL] = {"@type": ["dpv:DataSubject"], "dpv:hasIdentifier": history.principal}
    for number, name in enumerate(purpose.recipient_list, start=1):
        found[recipient(number)] = {"@type": ["dpv:Recipient"], "dpv:hasName": name}
    if any(event.by == "guardian" for event in history.events):
        found[A_GUARDIAN] = {"@type": ["dpv:GuardianOfDataSubject"]}
    found[AUTHORITY] = {
        "@type": ["dpv:DataProtectionAuthority"],
        "dpv:hasName": purpose.authority,
    }
    found[OFFICER] = {
        "@type": ["dpv:DataProtectionOfficer"],
        "dpv:hasContact": purpose.officer_contact,
    }
    return found


def organisation(party: Controller) -> Json:
    """A controller or processor: id, name, address, contact and type."""
    return {
        "@type": [dpv.PARTY_TYPES[ControllerKind(party.kind)]],
        "dpv:hasIdentifier": str(party.id),
        "dpv:hasName": party.name,
        "dpv:hasAddress": party.address,
        "dpv:hasContact": party.contact,
    }


def recipient(number: int) -> str:
    """The id of the purpose's nth recipient within the document."""
    return f"_:recipient{number}"


def process(history: History) -> Json:
    """What is the same for every data category, and around it one inner process for each."""
    purpose = history.purpose
    processors = [p for p in history.parties if p.kind == ControllerKind.PROCESSOR]
    found: Json = {
        "@type": ["dpv:Process"],
        "dpv:hasPurpose": [
            {
                "@id": urn(purpose.id),
                "@type": ["dpv:Purpose"],
                "skos:broader": dpv.PURPOSES.get(Sector(purpose.sector), "dpv:Purpose"),
                "skos:prefLabel": purpose.name,
                "skos:definition": purpose.description,
                "skos:scopeNote": purpose.necessity,
                "skos:note": list(purpose.uses),
            }
        ],
        "dpv:hasProcessing": dpv.PROCESSING,
        "dpv:hasDataController": [urn(p.id) for p in history.parties if p not in processors],
        "dpv:hasDataProcessor": [urn(p.id) for p in processors],
        "dpv:hasDataSource": ["dpv:DataSubjectDataSource"],
        "dpv:hasStorageCondition": [
            {
                "@type": ["dpv:StorageLocation"],
                "dpv:hasLocation": {"skos:prefLabel": purpose.storage_location},
            }
        ],
        "dpv:hasRecipient": [
            recipient(number) for number in range(1, len(purpose.recipient_list) + 1)
        ],
        "dpv:hasLegalBasis": dpv.LEGAL_BASES,
        "dpv:hasJurisdiction": {"skos:prefLabel": purpose.jurisdiction},
        "dpv:hasAuthority": AUTHORITY,
        "dpv:hasDataProtectionOfficer": OFFICER,
        "dpv:hasRight": dpv.RIGHTS,
        "dpv:hasConsentControl": [
            {
                "@type": ["dpv:WithdrawConsent"],
                "dpv:isExercisedAt": history.site + reverse("consent_withdraw", args=[purpose.id]),
            }
        ],
        "dpv:hasProcess": [inner_process(history, category) for category in purpose.categories],
    }
    if purpose.transfers:
        found["dpv:hasThirdCountry"] = {"skos:prefLabel": purpose.transfers}
    return found


def inner_process(history: History, category: str) -> Json:
    """One data category: what it is, whether it is needed, how long it is kept, and its history."""
    needed = category == DataCategory.MEDIA
    return {
        "@type": ["dpv:Process"],
        "dct:identifier": category,
        "dpv:hasPersonalData": [
            {
                "@type": dpv.SENSITIVE_TYPES,
                "skos:broader": dpv.PERSONAL_DATA[DataCategory(category)],
                "skos:prefLabel": category_label(category, history.purpose.takes),
            }
        ],
        "dpv:hasNecessity": "dpv:Required" if needed else "dpv:Optional",
        "dpv:hasStorageCondition": [
            {
                "@type": ["dpv:StorageDuration"],
                "dpv:hasDuration": kept(history.purpose, category),
            }
        ],
        "dpv:hasConsentStatus": statuses(history, category),
    }


def kept(purpose: Purpose, category: str) -> Json:
    """How long the data of a category are kept: an ISO 8601 duration, or the event that ends it."""
    if category == DataCategory.MEDIA and not purpose.keep_media:
        return until_event(_("erased as soon as they have been measured"))
    days = (
        purpose.media_retention_days
        if category == DataCategory.MEDIA
        else purpose.result_retention_days
    )
    return {"@type": ["dpv:TemporalDuration"], "rdf:value": f"P{days or 0}D"}


def until_event(words: str) -> Json:
    """A duration that an event ends."""
    return {"@type": ["dpv:UntilEventDuration"], "rdf:value": words}


def statuses(history: History, category: str) -> list[Json]:
    """Every event with its time, validity, who, type and the state that it left this category in."""
    found, chosen, covered, until = [], False, False, None
    for event in history.events:
        kind = EventKind(event.kind)
        before = covered
        if kind in SETS_CATEGORIES:
            chosen = covered = category in event.categories
            until = event.valid_until
        elif kind in ENDS:
            # Who withdraws what has expired withdraws the yes, not nothing.
            before, covered = chosen, False
        found.append(status(history, event, state_of(kind, before, covered), until))
    return found


def state_of(kind: EventKind, before: bool, now: bool) -> str:
    """The DPV state of a category after an event, by whether it was and is covered."""
    if kind in {EventKind.REQUESTED, EventKind.NOTICE_SHOWN, EventKind.GUARDIAN}:
        return dpv.REQUESTED
    if kind is EventKind.CANCELLED:
        return dpv.CANCELLED
    if now:
        return dpv.COVERED[kind]
    return dpv.ENDED[kind] if before else dpv.REFUSED


def status(history: History, event: ConsentEvent, state: str, until: Any) -> Json:
    """One event as a DPV consent status."""
    purpose, stands = history.purpose, state in {dpv.GIVEN, dpv.RENEWED}
    by = A_GUARDIAN if event.by == "guardian" else urn(first_controller(history.parties).id)
    # What was signed on paper is the person's act too; the method says that somebody else entered it.
    if event.by == "subject" or event.method == PAPER:
        by = PRINCIPAL
    found: Json = {
        "@type": [state, dpv.EXPLICIT_CONSENT],
        "dpv:hasIdentifier": str(event.id),
        "dct:type": event.kind,
        "dpv:isIndicatedAtTime": event.at.isoformat(),
        "dpv:isIndicatedBy": by,
        "dpv:hasIndicationMethod": event.method,
        "dpv:isExercisedAt": history.site + reverse("consent_notice", args=[purpose.id]),
        "dpv:hasDuration": {"@type": ["dpv:UntilTimeDuration"], "rdf:value": until.isoformat()}
        if stands and until
        else until_event(_("until the next event of this consent")),
    }
    if event.notice is not None and event.language:
        found["dpv:hasNotice"] = {"@id": f"{urn(event.notice.id)}#{event.language}"}
    if event.kind in dpv.ACTIVITY and stands:
        found["dpv:hasStatus"] = dpv.ACTIVITY[event.kind]
    return found
