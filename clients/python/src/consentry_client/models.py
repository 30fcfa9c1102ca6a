"""What the API answers with, as plain frozen classes; the fields are those of its OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias
from uuid import UUID

ConsentStatus: TypeAlias = Literal[
    "requested", "given", "refused", "withdrawn", "expired", "cancelled"
]
AnalysisState: TypeAlias = Literal[
    "queued", "running", "done", "refused", "failed", "erased", "cancelled"
]
MediaState: TypeAlias = Literal["stored", "erased"]
AccessReason: TypeAlias = Literal[
    "study-analysis", "quality-check", "subject-request", "incident-investigation"
]
"""Why a result is read. The person sees it."""
Order: TypeAlias = Literal["newest", "oldest"]
UNDER_WAY: frozenset[str] = frozenset({"queued", "running"})


@dataclass(frozen=True)
class Limit:
    """How much of something may be done in a stretch of time (seconds)."""

    quota: int
    window: int
    left: int
    reset: int


@dataclass(frozen=True)
class Limits:
    """What the installation lets you do."""

    requests: Limit
    analyses: Limit
    uploads_at_once: int
    uploads_per_subject_and_hour: int
    photograph_bytes: int
    film_bytes: int


@dataclass(frozen=True)
class Me:
    """The API client whose key this is."""

    id: UUID
    name: str
    purpose: UUID
    scopes: tuple[str, ...]
    networks: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    limits: Limits


@dataclass(frozen=True)
class Key:
    """A live key of yours, by its prefix."""

    prefix: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    current: bool


@dataclass(frozen=True)
class NewKey(Key):
    """A key that was just made. It is shown this once."""

    key: str = field(repr=False)


@dataclass(frozen=True)
class Organisation:
    """Who answers for a purpose, or works for somebody who does."""

    kind: str
    name: str
    address: str
    contact: str


@dataclass(frozen=True)
class Category:
    """One box of a notice. Never tick one for a person."""

    category: str
    name: str
    description: str
    needed: bool


@dataclass(frozen=True)
class Retention:
    """How long what is kept."""

    media_days: int | None
    media_kept: bool
    result_days: int | None
    consent_days: int


@dataclass(frozen=True)
class Fact:
    """One line of what everybody should know at a glance."""

    term: str
    text: str


@dataclass(frozen=True)
class NoticeText:
    """A notice in one language."""

    language: str
    title: str
    summary: str
    glance: tuple[Fact, ...]
    text: str
    choices: tuple[Category, ...]
    change: str
    sha256: str


@dataclass(frozen=True)
class Notice:
    """The notice in force."""

    version: int
    published_at: datetime
    texts: tuple[NoticeText, ...]


@dataclass(frozen=True)
class Purpose:
    """A purpose as its notice tells it."""

    id: UUID
    url: str
    name: str
    description: str
    necessity: str
    state: Literal["preparing", "open", "closed"]
    opened_at: datetime | None
    closed_at: datetime | None
    ends_at: datetime | None
    photographs: bool
    films: bool
    moments_a_second: int | None
    categories: tuple[Category, ...]
    retention: Retention
    minimum_age: int
    children: bool
    organisations: tuple[Organisation, ...]
    officer_contact: str
    authority: str
    recipients: tuple[str, ...]
    notice: Notice | None


@dataclass(frozen=True)
class Consent:
    """Where the consent of one person to your purpose stands; ``id`` is opaque and holds there alone."""

    id: UUID
    purpose: UUID
    status: ConsentStatus
    categories: tuple[str, ...]
    valid_until: datetime | None
    changed_at: datetime


@dataclass(frozen=True)
class ConsentRequest(Consent):
    """A person who was asked, and how."""

    asked_at: datetime | None
    letter_sent_at: datetime | None
    link_until: datetime | None
    letters_left: int
    next_letter_not_before: datetime | None


@dataclass(frozen=True)
class NoticeShown:
    """The page of a notice that somebody read."""

    version: int
    language: str
    sha256: str


@dataclass(frozen=True)
class ConsentReceipt:
    """One event of a consent, to keep as evidence that you had it at a time."""

    id: UUID
    kind: str
    at: datetime
    method: str
    categories: tuple[str, ...]
    valid_until: datetime | None
    notice: NoticeShown | None


@dataclass(frozen=True)
class ErasureReceipt:
    """One erasure of what the installation kept of a person, and how far it is."""

    id: UUID
    cause: str
    recording: UUID | None
    category: str | None
    requested_at: datetime
    held: bool
    keys_destroyed_at: datetime | None
    keys_destroyed: int
    rows_removed_at: datetime | None
    final_at: datetime | None


@dataclass(frozen=True)
class Analysis:
    """One run on a recording."""

    id: UUID
    url: str
    recording: UUID
    state: AnalysisState
    reason: str
    queued_at: datetime
    finished_at: datetime | None
    media_code: str
    progress: float
    expected_at: datetime | None
    categories: tuple[str, ...]

    @property
    def is_under_way(self) -> bool:
        """Whether it has not ended yet."""
        return self.state in UNDER_WAY


@dataclass(frozen=True)
class Recording:
    """What was uploaded: its state, and nothing of what it shows. ``subject`` is the person's opaque id."""

    id: UUID
    url: str
    subject: UUID | None
    media_type: str
    seconds: float | None
    media_state: MediaState
    created_at: datetime
    retain_until: datetime
    disputed_at: datetime | None
    erased_at: datetime | None
    analyses: tuple[Analysis, ...]


@dataclass(frozen=True)
class BatchItem:
    """What became of one file of a batch: its recording, or the problem that a single upload had got."""

    status: int
    recording: Recording | None
    problem: Mapping[str, Any] | None


@dataclass(frozen=True)
class BatchAnswer:
    """One answer for each file, in their order."""

    results: tuple[BatchItem, ...]


@dataclass(frozen=True)
class Export:
    """Many results that can be fetched in one archive, made while it is fetched."""

    id: UUID
    url: str
    content_url: str
    state: str
    reason: str
    format: str
    categories: tuple[str, ...]
    subjects: tuple[UUID, ...] | None
    created_after: datetime | None
    created_before: datetime | None
    created_at: datetime
    expires_at: datetime
    analyses: int
    sent_at: datetime | None
    included: int
    refused: Mapping[str, int]


@dataclass(frozen=True)
class Result:
    """What the face showed, by data category. ``log_entry`` is the access-log entry of this very read."""

    analysis: UUID
    log_entry: UUID
    parts: Mapping[str, Any]


@dataclass(frozen=True)
class Erasure:
    """One erasure of copies that is asked of you: a recording's, a category's, or all about a person."""

    id: UUID
    subject: UUID | None
    purpose: UUID
    recording: UUID | None
    category: str | None
    requested_at: datetime
    acknowledged_at: datetime | None


@dataclass(frozen=True)
class LogEntry:
    """An entry of the access log in which you acted, with the receipt that proves it."""

    id: UUID
    time: datetime
    action: str
    outcome: Literal["ok", "refused", "failed"]
    reason: str | None
    integrated: bool
    receipt: Mapping[str, Any]


@dataclass(frozen=True)
class Webhook:
    """Where you are told, and of what."""

    url: str
    types: tuple[str, ...]
    created_at: datetime
    old_secrets_until: datetime | None


@dataclass(frozen=True)
class WebhookSecret(Webhook):
    """A webhook with its secret if it has just been made. It is shown this once."""

    secret: str | None = field(repr=False)


@dataclass(frozen=True)
class Delivery:
    """One thing that you are told, and how far it is. ``event`` is what is sent."""

    id: UUID
    type: str
    event: Mapping[str, Any]
    state: str
    created_at: datetime
    attempts: int
    last_status: int | None
    next_attempt_at: datetime | None
    delivered_at: datetime | None
    given_up_at: datetime | None
