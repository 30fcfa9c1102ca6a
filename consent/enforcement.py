"""The gate: the only place that answers "may this be done now?", and the only one that issues permits.

It asks consent **and** retention, always from the database, and is asked again after every wait: a
permit carries the version of the consent it was issued under, and ``recheck`` refuses when that
version, or anything else it rests on, has changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from django.db.models import DateTimeField, Exists, F, OuterRef, QuerySet, UUIDField, Value
from django.utils import timezone
from django.utils.translation import gettext as _
from uuid_utils.compat import uuid7

from accounts.actors import Actor
from accounts.training import valid_certificates
from audit_log.actions import Action, ReasonCode
from audit_log.clock import is_behind
from audit_log.entries import Draft
from audit_log.prepared import Columns, Given, Prepared
from consent.errors import ConsentRefused
from consent.models import (
    Breach,
    ConsentState,
    ConsentStatus,
    DataCategory,
    DataSubject,
    PaperConsent,
    Purpose,
    PurposeState,
)
from consent.rules import (
    NOT_STANDING,
    Asker,
    ConsentStanding,
    Facts,
    Kept,
    Operation,
    refusal,
)
from vault.tags import Tagger, tagger

ObjectStanding = Callable[[], datetime | ReasonCode | None]
"""Reads afresh how one object stands: until when it may be kept, or why it is closed.

None when it is gone or was never given a date.
"""

STANDINGS = {
    ConsentStatus.REQUESTED: ConsentStanding.REQUESTED,
    ConsentStatus.REFUSED: ConsentStanding.REFUSED,
    ConsentStatus.WITHDRAWN: ConsentStanding.WITHDRAWN,
    ConsentStatus.EXPIRED: ConsentStanding.EXPIRED,
    # A question that was taken back was never asked.
    ConsentStatus.CANCELLED: ConsentStanding.NEVER_ASKED,
}


class ConsentNow(NamedTuple):
    """What the rule and a permit rest on: one person's consent to one purpose, as the database has it.

    Fields:
        attested_by_asker: whether the operator who asks attested a consent of this person's on paper,
        whichever it was; asker_is_trained: whether their training is valid.
    """

    status: str
    version: int
    categories: list[str]
    notice_id: UUID | None
    event_id: UUID | None
    valid_until: datetime | None
    restricted_at: datetime | None
    purpose_state: str
    purpose_ends_at: datetime | None
    media_retention_days: int | None
    result_retention_days: int | None
    attested_by_asker: bool
    asker_is_trained: bool


@dataclass(frozen=True)
class Asking:
    """Who asks. ``operator_id`` of an operator, who may have attested the consent or lack training."""

    asker: Asker
    operator_id: UUID | None = None

    def of(self, state: ConsentNow | None) -> Asker:
        """Who asks, as the rule knows them; ``state`` from ``current_state`` for this very asking."""
        if self.operator_id is None or state is None:
            return self.asker
        if state.attested_by_asker:
            return Asker.ATTESTER
        return self.asker if state.asker_is_trained else Asker.UNTRAINED


THE_SYSTEM = Asking(Asker.SYSTEM)


def asker_of(actor: Actor) -> Asking:
    """Who asks when this actor acts."""
    if actor.kind == "subject":
        return Asking(Asker.SUBJECT)
    if actor.kind == "system":
        return THE_SYSTEM
    return Asking(Asker.OTHER, actor.id if actor.kind == "operator" else None)


def consent_standing(state: ConsentNow | None, now: datetime) -> ConsentStanding:
    """How a consent stands at this moment; one past its date has ended, whoever noticed."""
    if state is None:
        return ConsentStanding.NEVER_ASKED
    if state.status != ConsentStatus.GIVEN:
        return STANDINGS[ConsentStatus(state.status)]
    if state.valid_until is None or state.valid_until <= now:
        return ConsentStanding.EXPIRED
    return ConsentStanding.RESTRICTED if state.restricted_at else ConsentStanding.GIVEN


def decide(
    state: ConsentNow | None,
    operation: Operation,
    asker: Asker,
    categories: frozenset[str],
    kept: Kept,
    now: datetime,
) -> ReasonCode | None:
    """The rule on a consent as it is now: None when allowed, else why it is refused."""
    standing = consent_standing(state, now)
    if state is None:
        return NOT_STANDING[standing]
    if state.purpose_ends_at is not None and state.purpose_ends_at <= now:
        kept = Kept.PASSED  # with the purpose everything of it ends, whatever date it carries
    facts = Facts(
        standing=standing,
        purpose_open=state.purpose_state == PurposeState.OPEN,
        periods_set=bool(state.media_retention_days and state.result_retention_days),
        covered=categories <= set(state.categories),
        kept=kept,
    )
    return refusal(operation, asker, facts)


def decide_now(
    state: ConsentNow | None,
    operation: Operation,
    asking: Asking,
    categories: frozenset[str],
    standing: ObjectStanding | None,
) -> ReasonCode | None:
    """The rule at this moment, by a clock that can be believed: else no date can be judged.

    The object is read afresh, and may be closed for a reason of its own.
    """
    now = timezone.now()
    if is_behind(now):
        return ReasonCode.CLOCK_WRONG
    found = standing() if standing else None
    kept, closed = Kept.NOT_YET_THERE, None
    if isinstance(found, ReasonCode):
        closed = found
    elif standing is not None:
        kept = kept_until(found, now)
    return decide(state, operation, asking.of(state), categories, kept, now) or closed


def kept_until(date: datetime | None, now: datetime) -> Kept:
    """How an object that may be kept until ``date`` stands with retention."""
    if date is None:
        return Kept.NOT_SET
    return Kept.PASSED if date <= now else Kept.IN_TIME


def states() -> QuerySet[ConsentState]:
    """The consent state of one person in one purpose, with what the rule reads of the purpose."""
    found = ConsentState.objects.filter(
        subject_id=Given("subject_id", UUIDField()), purpose_id=Given("purpose_id", UUIDField())
    )
    return found.annotate(
        purpose_state=F("purpose__state"),
        purpose_ends_at=F("purpose__ends_at"),
        media_retention_days=F("purpose__media_retention_days"),
        result_retention_days=F("purpose__result_retention_days"),
    )


def states_for_an_operator() -> QuerySet[ConsentState]:
    """The same, and what the rule asks about the operator."""
    operator = Given("operator_id", UUIDField())
    attested = PaperConsent.objects.filter(
        subject_id=OuterRef("subject_id"), attested_by_id=operator
    )
    trained = valid_certificates(Given("now", DateTimeField())).filter(operator_id=operator)
    return states().annotate(attested_by_asker=Exists(attested), asker_is_trained=Exists(trained))


def states_for_others() -> QuerySet[ConsentState]:
    """The same, for whom the rule asks nothing more about; an operator judged by it would be refused."""
    return states().annotate(attested_by_asker=Value(True), asker_is_trained=Value(False))


SEEN_BY_AN_OPERATOR = Prepared(Columns(ConsentNow), states_for_an_operator)
SEEN_BY_OTHERS = Prepared(Columns(ConsentNow), states_for_others)


def current_state(
    subject_id: UUID, purpose_id: UUID, asking: Asking = THE_SYSTEM
) -> ConsentNow | None:
    """The consent with its purpose, in one indexed query on the primary database."""
    if asking.operator_id is None:
        return SEEN_BY_OTHERS.first(subject_id=subject_id, purpose_id=purpose_id)
    return SEEN_BY_AN_OPERATOR.first(
        subject_id=subject_id,
        purpose_id=purpose_id,
        operator_id=asking.operator_id,
        now=timezone.now(),
    )


def require_not_attester(actor: Actor, subject_id: UUID) -> None:
    """Raise ConsentRefused for an operator who attested a consent of this person's on paper.

    Asked where a one-time link or a code would let them in as that person.
    """
    attested = PaperConsent.objects.filter(subject_id=subject_id, attested_by_id=actor.id)
    if actor.kind == "operator" and attested.exists():
        raise ConsentRefused(
            ReasonCode.ATTESTED_BY_READER,
            _(
                "You attested that this person signed on paper, so you may not hold a link or a code of "
                "theirs. A colleague has to hand it over."
            ),
        )


@dataclass(frozen=True, kw_only=True)
class Issued:
    """What every permit says to the vault, whatever it rests on."""

    subject_id: UUID
    action: Action
    object_tag: bytes
    tags: Tagger = field(repr=False)
    permit_id: UUID = field(default_factory=uuid7)
    consent_version: int = 0

    @property
    def subject_tag(self) -> bytes:
        """The subject's tag in the log, for this purpose or the account."""
        return self.tags.subject()


@dataclass(frozen=True, kw_only=True)
class ConsentPermit(Issued):
    """One operation allowed under one consent, until something it rests on changes."""

    purpose_id: UUID
    operation: Operation
    asker: Asking
    categories: frozenset[str]
    consent_event_id: UUID
    policy_version: str
    standing: ObjectStanding | None = field(default=None, repr=False)

    @property
    def consent_tag(self) -> bytes:
        """The tag of the consent event that allows the operation."""
        return self.tags.consent_record(self.consent_event_id)

    def signed(self, draft: Draft) -> Draft:
        """The entry of what this permit allows: it names the consent, the notice and the permit."""
        return replace(
            draft,
            consent_tag=self.consent_tag,
            policy_version=self.policy_version,
            permit_id=self.permit_id,
        )

    def recheck(self) -> None:
        """Ask again by a fresh read; raises ConsentRefused when it would no longer be allowed."""
        state = current_state(self.subject_id, self.purpose_id, self.asker)
        reason = decide_now(state, self.operation, self.asker, self.categories, self.standing)
        if reason is None and state is not None and state.version != self.consent_version:
            reason = ReasonCode.CONSENT_CHANGED
        if reason is not None:
            raise ConsentRefused(reason)


def require_consent(
    *,
    subject_id: UUID,
    purpose_id: UUID,
    operation: Operation,
    asker: Asking,
    action: Action,
    object_kind: str,
    object_id: UUID,
    categories: frozenset[str] = frozenset({DataCategory.MEDIA}),
    standing: ObjectStanding | None = None,
) -> ConsentPermit:
    """A permit for one operation on one object, or ConsentRefused with the reason.

    ``standing`` must be given for every object that already exists: it reads until when the object may
    be kept, or why it is closed, now and at each recheck.
    """
    state = current_state(subject_id, purpose_id, asker)
    reason = decide_now(state, operation, asker, categories, standing)
    if reason is not None or state is None or state.event_id is None:
        raise ConsentRefused(reason or ReasonCode.NO_CONSENT)
    tags = tagger(subject_id, purpose_id)
    return ConsentPermit(
        subject_id=subject_id,
        purpose_id=purpose_id,
        action=action,
        object_tag=tags.object(object_kind, object_id),
        operation=operation,
        asker=asker,
        categories=categories,
        consent_version=state.version,
        consent_event_id=state.event_id,
        policy_version=str(state.notice_id or ""),
        tags=tags,
        standing=standing,
    )


class AccountUse(StrEnum):
    """The closed list of uses of a person's contact data and references."""

    INVITE = "invite"
    SIGN_IN = "sign-in"
    NOTIFY = "notify"
    ANSWER_REQUEST = "answer-request"
    SHOW_IDENTITY = "show-identity"
    ATTEST = "attest"
    OWN_ACCESS = "own-access"


@dataclass(frozen=True, kw_only=True)
class AccountPermit(Issued):
    """One allowed use of contact data, which rests on the account and not on a consent."""

    purpose_id: UUID | None
    use: AccountUse

    def recheck(self) -> None:
        """The subject must exist with an open account, and to show who they are the purpose must be open.

        An invitation seals the contact data of somebody who is only about to be filed.
        """
        if self.use is AccountUse.INVITE and self.action is Action.SUBJECT_CREATE:
            return
        here = DataSubject.objects.using("default").filter(pk=self.subject_id, closed_at=None)
        if not here.exists():
            # The same words for both: that somebody closed their account is told to no study.
            raise ConsentRefused(
                ReasonCode.NO_CONSENT, "No contact data of this person can be used any more."
            )
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


@dataclass(frozen=True, kw_only=True)
class RecordPermit(Issued):
    """One use of the texts of a breach record, whose own id stands where a person's would."""

    purpose_id: None = None

    def recheck(self) -> None:
        """The record must exist and be kept, unless it is being written just now."""
        records = Breach.objects.using("default").kept().filter(pk=self.subject_id)
        if self.action is not Action.BREACH_RECORD and not records.exists():
            raise ConsentRefused(ReasonCode.NOT_PERMITTED, "This breach record does not exist.")


def require_record_use(record_id: UUID, action: Action) -> RecordPermit:
    """A permit to seal or open the texts of a breach record."""
    tags = tagger(record_id, None)
    permit = RecordPermit(
        subject_id=record_id,
        action=action,
        object_tag=tags.object("breach", record_id),
        tags=tags,
    )
    permit.recheck()
    return permit
