"""The gate: the only place that answers "may this be done now?", and the only one that issues permits.

It asks consent **and** retention, always from the database, and is asked again after every wait: a
permit carries the version of the consent it was issued under, and ``recheck`` refuses when that
version, or anything else it rests on, has changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from django.utils import timezone
from uuid_utils.compat import uuid7

from audit_log.actions import Action, ReasonCode
from audit_log.clock import is_behind
from consent.errors import ConsentRefused
from consent.models import (
    ConsentState,
    ConsentStatus,
    DataCategory,
    DataSubject,
    Purpose,
    PurposeState,
)
from vault.tags import Tagger, tagger

Retained = Callable[[], datetime | None]
"""Reads afresh until when an object may be kept; None when it is gone or was never given a date."""


class Operation(StrEnum):
    """What the gate is asked about."""

    UPLOAD = "upload"
    ANALYSE = "analyse"
    SAVE_RESULT = "save-result"
    READ_RESULT = "read-result"
    READ_MEDIA = "read-media"


# The operations that add something new need an open purpose; a closed one can still be read.
NEEDS_OPEN_PURPOSE = {Operation.UPLOAD, Operation.ANALYSE, Operation.SAVE_RESULT}

STATUS_REFUSALS: dict[str, ReasonCode] = {
    ConsentStatus.REQUESTED: ReasonCode.NO_CONSENT,
    ConsentStatus.REFUSED: ReasonCode.CONSENT_REFUSED,
    ConsentStatus.WITHDRAWN: ReasonCode.CONSENT_WITHDRAWN,
    ConsentStatus.EXPIRED: ReasonCode.CONSENT_EXPIRED,
}


def decide(
    state: ConsentState | None,
    operation: Operation,
    categories: frozenset[str],
    now: datetime,
) -> ReasonCode | None:
    """The rule: None when the operation is allowed, else the reason of the refusal.

    ``state`` comes with its purpose. Retention of a single object is asked beside this, and before it
    whether ``now`` can be believed.
    """
    if state is None:
        return ReasonCode.NO_CONSENT
    if state.status != ConsentStatus.GIVEN:
        return STATUS_REFUSALS[state.status]
    if state.valid_until is None or state.valid_until <= now:
        return ReasonCode.CONSENT_EXPIRED
    purpose = state.purpose
    if operation in NEEDS_OPEN_PURPOSE and purpose.state != PurposeState.OPEN:
        return ReasonCode.PURPOSE_NOT_OPEN
    if not purpose.media_retention_days or not purpose.result_retention_days:
        return ReasonCode.RETENTION_NOT_SET
    if not categories <= set(state.categories):
        return ReasonCode.CATEGORY_NOT_CONSENTED
    return None


def decide_now(
    state: ConsentState | None, operation: Operation, categories: frozenset[str]
) -> ReasonCode | None:
    """The rule by this machine's clock, if that can be believed: else no date can be judged."""
    now = timezone.now()
    if is_behind(now):
        return ReasonCode.CLOCK_WRONG
    return decide(state, operation, categories, now)


def current_state(subject_id: UUID, purpose_id: UUID) -> ConsentState | None:
    """The consent state with its purpose, in one indexed query on the primary database."""
    return (
        ConsentState.objects.using("default")
        .select_related("purpose")
        .filter(subject_id=subject_id, purpose_id=purpose_id)
        .first()
    )


@dataclass(frozen=True, kw_only=True)
class ConsentPermit:
    """One operation allowed under one consent, until something it rests on changes."""

    subject_id: UUID
    purpose_id: UUID
    action: Action
    object_tag: bytes
    operation: Operation
    categories: frozenset[str]
    consent_version: int
    consent_event_id: UUID
    policy_version: str
    tags: Tagger = field(repr=False)
    retained: Retained | None = field(default=None, repr=False)
    permit_id: UUID = field(default_factory=uuid7)

    @property
    def subject_tag(self) -> bytes:
        """The subject's tag in the log, for this purpose."""
        return self.tags.subject()

    @property
    def consent_tag(self) -> bytes:
        """The tag of the consent event that allows the operation."""
        return self.tags.consent_record(self.consent_event_id)

    def recheck(self) -> None:
        """Ask again by a fresh read; raises ConsentRefused when it would no longer be allowed."""
        state = current_state(self.subject_id, self.purpose_id)
        reason = decide_now(state, self.operation, self.categories)
        if reason is None and state is not None and state.version != self.consent_version:
            reason = ReasonCode.CONSENT_CHANGED
        if reason is None:
            reason = retention_refusal(self.retained)
        if reason is not None:
            raise ConsentRefused(reason)


def retention_refusal(retained: Retained | None) -> ReasonCode | None:
    """Why retention forbids it: no date, or a date in the past. None where no object exists yet."""
    if retained is None:
        return None
    until = retained()
    if until is None:
        return ReasonCode.RETENTION_NOT_SET
    return ReasonCode.RETENTION_PASSED if until <= timezone.now() else None


def require_consent(
    *,
    subject_id: UUID,
    purpose_id: UUID,
    operation: Operation,
    action: Action,
    object_kind: str,
    object_id: UUID,
    categories: frozenset[str] = frozenset({DataCategory.MEDIA}),
    retained: Retained | None = None,
) -> ConsentPermit:
    """A permit for one operation on one object, or ConsentRefused with the reason.

    ``retained`` must be given for every object that already exists: it reads the date until which the
    object may be kept, now and at each recheck.
    """
    state = current_state(subject_id, purpose_id)
    reason = decide_now(state, operation, categories) or retention_refusal(retained)
    if reason is not None or state is None or state.event_id is None:
        raise ConsentRefused(reason or ReasonCode.NO_CONSENT)
    tags = tagger(subject_id, purpose_id)
    return ConsentPermit(
        subject_id=subject_id,
        purpose_id=purpose_id,
        action=action,
        object_tag=tags.object(object_kind, object_id),
        operation=operation,
        categories=categories,
        consent_version=state.version,
        consent_event_id=state.event_id,
        policy_version=str(state.notice_id or ""),
        tags=tags,
        retained=retained,
    )


class AccountUse(StrEnum):
    """The closed list of uses of a person's contact data and references."""

    INVITE = "invite"
    SIGN_IN = "sign-in"
    NOTIFY = "notify"
    ANSWER_REQUEST = "answer-request"
    SHOW_IDENTITY = "show-identity"


@dataclass(frozen=True, kw_only=True)
class AccountPermit:
    """One allowed use of contact data, which rests on the account and not on a consent."""

    subject_id: UUID
    purpose_id: UUID | None
    action: Action
    object_tag: bytes
    use: AccountUse
    tags: Tagger = field(repr=False)
    permit_id: UUID = field(default_factory=uuid7)

    @property
    def subject_tag(self) -> bytes:
        """The subject's tag in the log."""
        return self.tags.subject()

    def recheck(self) -> None:
        """The subject must exist, and to show who they are the purpose must be open.

        An invitation seals the contact data of somebody who is only about to be filed.
        """
        if self.use is AccountUse.INVITE and self.action is Action.SUBJECT_CREATE:
            return
        if not DataSubject.objects.using("default").filter(pk=self.subject_id).exists():
            raise ConsentRefused(ReasonCode.NO_CONSENT, "This data subject does not exist.")
        if self.use is AccountUse.SHOW_IDENTITY and not self.purpose_is_open():
            raise ConsentRefused(ReasonCode.PURPOSE_NOT_OPEN)

    def purpose_is_open(self) -> bool:
        """Whether the purpose that the reference belongs to is open, by a fresh read."""
        if self.purpose_id is None:
            return False
        states = Purpose.objects.using("default").filter(state=PurposeState.OPEN)
        return states.filter(pk=self.purpose_id).exists()


def require_account_use(
    *,
    subject_id: UUID,
    purpose_id: UUID | None,
    use: AccountUse,
    action: Action,
    object_kind: str,
    object_id: UUID,
) -> AccountPermit:
    """A permit to seal or open contact data for one use of the closed list."""
    tags = tagger(subject_id, purpose_id)
    permit = AccountPermit(
        subject_id=subject_id,
        purpose_id=purpose_id,
        action=action,
        object_tag=tags.object(object_kind, object_id),
        use=use,
        tags=tags,
    )
    permit.recheck()
    return permit
