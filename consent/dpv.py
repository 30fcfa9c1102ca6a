"""Words of the W3C Data Privacy Vocabulary (DPV 2.1) that a consent record is written in.

Source: ``w3id.org/dpv`` and its guide to ISO/IEC TS 27560 (``w3id.org/dpv/guides/consent-27560``, schema
``dpv-27560``). The context travels inside each document, so that nothing has to be fetched to read it.
"""

from __future__ import annotations

from typing import Any

from consent.models import ControllerKind, DataCategory, EventKind, Sector

RECORD_SCHEMA = "dpv-27560:record-eu-gdpr"
RECEIPT_SCHEMA = "dpv-27560:receipt-eu-gdpr"

_IRI: dict[str, str] = {"@type": "@id"}
_TIME = {"@type": "xsd:dateTime"}
CONTEXT: dict[str, Any] = {
    "dpv": "https://w3id.org/dpv#",
    "dpv-27560": "https://w3id.org/dpv/schema/dpv-27560#",
    "eu-gdpr": "https://w3id.org/dpv/legal/eu/gdpr#",
    "pd": "https://w3id.org/dpv/pd#",
    "dct": "http://purl.org/dc/terms/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "spdx": "http://spdx.org/rdf/terms#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    # Entities stand in one map by their id; processes name them by that id.
    "dpv:hasEntity": {"@container": "@id"},
    **dict.fromkeys(
        (
            "dct:conformsTo",
            "dct:creator",
            "dpv:hasAuthority",
            "dpv:hasDataController",
            "dpv:hasDataProcessor",
            "dpv:hasDataProtectionOfficer",
            "dpv:hasDataSource",
            "dpv:hasLegalBasis",
            "dpv:hasNecessity",
            "dpv:hasProcessing",
            "dpv:hasRecipient",
            "dpv:hasRight",
            "dpv:hasStatus",
            "dpv:isIndicatedBy",
            "skos:broader",
            "spdx:algorithm",
        ),
        _IRI,
    ),
    **dict.fromkeys(("dct:created", "dct:issued", "dct:modified", "dpv:isIndicatedAtTime"), _TIME),
}

EXPLICIT_CONSENT = "dpv:ExplicitlyExpressedConsent"
LEGAL_BASES = ["eu-gdpr:A6-1-a-explicit-consent", "eu-gdpr:A9-2-a"]
RIGHTS = [
    "eu-gdpr:A7-3",
    "eu-gdpr:A13",
    "eu-gdpr:A15",
    "eu-gdpr:A16",
    "eu-gdpr:A17",
    "eu-gdpr:A18",
    "eu-gdpr:A20",
    "eu-gdpr:A77",
]
PROCESSING = ["dpv:Collect", "dpv:Store", "dpv:Analyse", "dpv:Erase"]
SENSITIVE_TYPES = ["dpv:SensitivePersonalData", "dpv:SpecialCategoryPersonalData"]

PARTY_TYPES = {
    ControllerKind.CONTROLLER: "dpv:DataController",
    ControllerKind.JOINT: "dpv:JointDataControllers",
    ControllerKind.PROCESSOR: "dpv:DataProcessor",
}
# Sectors for which DPV has no purpose of its own stand under its top concept.
PURPOSES = {
    Sector.RESEARCH: "dpv:ScientificResearch",
    Sector.USABILITY: "dpv:ResearchAndDevelopment",
}
# A measured face is biometric data to the product, whether or not it could identify anybody.
PERSONAL_DATA = {
    DataCategory.MEDIA: ["pd:Picture", "pd:Biometric"],
    DataCategory.EXPRESSION: ["pd:Biometric", "pd:Behavioral"],
    DataCategory.BLENDSHAPES: ["pd:Biometric", "pd:FacialPrint"],
    DataCategory.HEAD_POSE: ["pd:Biometric", "pd:Behavioral"],
    DataCategory.GAZE: ["pd:Biometric", "pd:Behavioral"],
    DataCategory.SMILE_MARKER: ["pd:Biometric", "pd:Behavioral"],
    DataCategory.BODY_MOTION: ["pd:Biometric", "pd:Behavioral"],
}

REQUESTED = "dpv:ConsentRequested"
# Somebody else than the person ended the question, and nothing stands that could be used.
CANCELLED = "dpv:ConsentRevoked"
GIVEN = "dpv:ConsentGiven"
RENEWED = "dpv:RenewedConsentGiven"
REFUSED = "dpv:ConsentRefused"
WITHDRAWN = "dpv:ConsentWithdrawn"
EXPIRED = "dpv:ConsentExpired"
# What an event makes of a data category that it covers, and of one that was covered until then.
COVERED: dict[str, str] = {
    EventKind.GIVEN: GIVEN,
    EventKind.RENEWED: RENEWED,
    EventKind.REAFFIRMED: RENEWED,
    EventKind.NARROWED: GIVEN,
    EventKind.RESTRICTED: GIVEN,
    EventKind.RESUMED: GIVEN,
}
ENDED: dict[str, str] = {
    EventKind.GIVEN: WITHDRAWN,
    EventKind.RENEWED: WITHDRAWN,
    EventKind.REAFFIRMED: WITHDRAWN,
    EventKind.NARROWED: WITHDRAWN,
    EventKind.WITHDRAWN: WITHDRAWN,
    EventKind.EXPIRED: EXPIRED,
    EventKind.REFUSED: REFUSED,
}
# A pause leaves the consent as it is and halts what is done under it (GDPR Art. 18).
ACTIVITY: dict[str, str] = {
    EventKind.RESTRICTED: "dpv:ActivityHalted",
    EventKind.RESUMED: "dpv:ActivityOngoing",
}
