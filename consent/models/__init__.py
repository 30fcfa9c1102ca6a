"""Tables of purposes, notices, data subjects and their consent.

``ConsentEvent`` only grows (the database refuses anything else); ``ConsentState`` is the one mutable
row per subject and purpose that flows lock. Whatever names a person is sealed: contact data and
references appear here as ciphertext plus a keyed index.
"""

from consent.models.assessments import Document, ExceptionApproval, ImpactAssessment
from consent.models.breaches import (
    Breach,
    BreachKind,
    BreachPerson,
    BreachQuerySet,
    BreachState,
    LateReason,
    NotNotified,
    NotTold,
)
from consent.models.endings import (
    ErasureCause,
    ErasureQuerySet,
    ErasureRequest,
    HoldReason,
    LegalHold,
    LegalHoldQuerySet,
    is_held,
    is_person_held,
)
from consent.models.people import (
    Contact,
    DataSubject,
    Invitation,
    OutboxMessage,
    SignInCode,
    SubjectReference,
)
from consent.models.purposes import Controller, Notice, Purpose, PurposeMember, PurposeRefusal
from consent.models.recipients import Telling, TellingKind, TellingQuerySet, WebhookEndpoint
from consent.models.records import (
    ConsentEvent,
    ConsentState,
    ConsentStateQuerySet,
    ConsentStatus,
    EventKind,
    PaperConsent,
)
from consent.models.requests import (
    ExtensionReason,
    RefusalGround,
    RequestKind,
    RequestOutcome,
    RequestState,
    SubjectRequest,
    SubjectRequestQuerySet,
)
from consent.models.vocabulary import (
    LEAST_AGE,
    LEAST_CHILD_AGE,
    NOT_MEASURED,
    ControllerKind,
    DataCategory,
    ExceptionReason,
    LawfulBasis,
    PurposeState,
    ResidualRisk,
    Sector,
    Use,
)

__all__ = [
    "LEAST_AGE",
    "LEAST_CHILD_AGE",
    "NOT_MEASURED",
    "Breach",
    "BreachKind",
    "BreachPerson",
    "BreachQuerySet",
    "BreachState",
    "ConsentEvent",
    "ConsentState",
    "ConsentStateQuerySet",
    "ConsentStatus",
    "Contact",
    "Controller",
    "ControllerKind",
    "DataCategory",
    "DataSubject",
    "Document",
    "ErasureCause",
    "ErasureQuerySet",
    "ErasureRequest",
    "EventKind",
    "ExceptionApproval",
    "ExceptionReason",
    "ExtensionReason",
    "HoldReason",
    "ImpactAssessment",
    "Invitation",
    "LateReason",
    "LawfulBasis",
    "LegalHold",
    "LegalHoldQuerySet",
    "NotNotified",
    "NotTold",
    "Notice",
    "OutboxMessage",
    "PaperConsent",
    "Purpose",
    "PurposeMember",
    "PurposeRefusal",
    "PurposeState",
    "RefusalGround",
    "RequestKind",
    "RequestOutcome",
    "RequestState",
    "ResidualRisk",
    "Sector",
    "SignInCode",
    "SubjectReference",
    "SubjectRequest",
    "SubjectRequestQuerySet",
    "Telling",
    "TellingKind",
    "TellingQuerySet",
    "Use",
    "WebhookEndpoint",
    "is_held",
    "is_person_held",
]
