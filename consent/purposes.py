"""The life of a purpose: draft → in review → open → closed, and from review back to its author.

An administrator writes it, the data protection officer opens it or sends it back; what the screening
refuses cannot be written at all, and the refusal is in the log and in the register.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from accounts.actors import Actor
from accounts.models import Role, User
from audit_log.actions import Action
from audit_log.entries import Draft
from audit_log.log import append
from consent.errors import InvalidPurpose
from consent.models import Controller, Purpose, PurposeMember, PurposeState
from consent.purpose_rules import require_complete, screen
from consent.readiness import missing_for_opening, missing_for_review
from consent.screening_words import look_again

Parties = list[dict[str, str]]
"""Controllers and processors: kind, name, address, contact each."""

EDITABLE = frozenset({PurposeState.DRAFT, PurposeState.SENT_BACK})


def entry(actor: Actor, action: Action, purpose_id: UUID) -> Draft:
    """The log entry of something done to a purpose."""
    return Draft(action=action, actor=actor.log_name(), purpose_id=purpose_id)


def create_purpose(actor: Actor, author: User, *, controllers: Parties, **values: Any) -> Purpose:
    """A new purpose in draft. Raises ProhibitedPurpose or InvalidPurpose; then nothing was made."""
    screen(actor, values)
    require_complete(values, controllers)
    with transaction.atomic():
        purpose = Purpose.objects.create(created_by=author, **values)
        write_controllers(purpose, controllers)
        purpose.authors.add(author)
        append(entry(actor, Action.PURPOSE_CREATE, purpose.id))
    return purpose


def stage(purpose: Purpose) -> str:
    """How far a purpose is, as it reads within a sentence."""
    return purpose.get_state_display().lower()


def change_purpose(
    actor: Actor, author: User, purpose_id: UUID, *, controllers: Parties, **values: Any
) -> Purpose:
    """Mend a draft, or a purpose that was sent back; screened like a new one.

    Whoever changes it is an author and does not open it. What was approved of it before is void.
    """
    screen(actor, values)
    require_complete(values, controllers)
    with transaction.atomic():
        purpose = locked(purpose_id)
        if purpose.state not in EDITABLE:
            raise InvalidPurpose(
                f"Only a draft can be changed; this purpose is {stage(purpose)}. "
                "What people consented to does not change behind them: write a new purpose."
            )
        for name, value in values.items():
            setattr(purpose, name, value)
        if not purpose.exception:
            purpose.exception_document = None
        purpose.save()
        purpose.controllers.all().delete()
        write_controllers(purpose, controllers)
        purpose.authors.add(author)
        void_approvals(purpose)
        append(entry(actor, Action.PURPOSE_CHANGE, purpose.id))
    return purpose


def write_controllers(purpose: Purpose, controllers: Parties) -> None:
    """File the organisations in the order given."""
    for party in controllers:
        Controller.objects.create(purpose=purpose, **party)


def void_approvals(purpose: Purpose) -> None:
    """What was approved was the purpose as it was before."""
    approved = purpose.assessments.filter(approved_at__isnull=False, void_since=None)
    approved.update(void_since=timezone.now())
    purpose.exception_approvals.all().delete()


def locked(purpose_id: UUID) -> Purpose:
    """The purpose under a row lock; inside a transaction only."""
    return Purpose.objects.select_for_update().get(pk=purpose_id)


def share_locked(purpose_id: UUID) -> Purpose:
    """The purpose, held still until the transaction ends; many may hold it so at once.

    Whoever changes its periods waits for every holder, and then finds what they made. On SQLite the
    IMMEDIATE transaction is the lock.
    """
    if connection.features.has_select_for_update:
        # Django offers FOR UPDATE only, which would make uploads wait for one another.
        query = "SELECT * FROM consent_purpose WHERE id = %s FOR SHARE"
        return next(iter(Purpose.objects.raw(query, [purpose_id])))
    return Purpose.objects.get(pk=purpose_id)


def is_author(user: User, purpose: Purpose) -> bool:
    """Whether this person wrote or changed the purpose."""
    return purpose.authors.filter(pk=user.pk).exists()


def submit_for_review(actor: Actor, purpose_id: UUID) -> Purpose:
    """Hand a complete draft to the data protection officer; raises InvalidPurpose with all that lacks."""
    with transaction.atomic():
        purpose = locked(purpose_id)
        if purpose.state not in EDITABLE:
            raise InvalidPurpose(
                f"Only a draft can be submitted; this purpose is {stage(purpose)}."
            )
        require_nothing(missing_for_review(purpose))
        purpose.state = PurposeState.IN_REVIEW
        purpose.review_told_at = None
        purpose.save(update_fields=["state", "review_told_at"])
        append(entry(actor, Action.PURPOSE_SUBMIT, purpose.id))
    return purpose


def require_nothing(missing: list[str]) -> None:
    """Raise InvalidPurpose that says everything that is missing."""
    if missing:
        raise InvalidPurpose(" ".join(missing))


def require_reviewer(reviewer: User, purpose: Purpose) -> None:
    """Raise InvalidPurpose unless this is a data protection officer who did not write the purpose."""
    if reviewer.role != Role.DPO or is_author(reviewer, purpose):
        raise InvalidPurpose(
            "A purpose is decided on by a data protection officer, not by its author."
        )


def send_back(actor: Actor, reviewer: User, purpose_id: UUID, reason: str) -> Purpose:
    """The data protection officer gives a purpose back, saying what has to be mended."""
    if not reason.strip():
        raise InvalidPurpose("Say what has to be mended before a purpose is sent back.")
    with transaction.atomic():
        purpose = locked(purpose_id)
        if purpose.state != PurposeState.IN_REVIEW:
            raise InvalidPurpose(
                f"Only a purpose in review can be sent back; this is {stage(purpose)}."
            )
        require_reviewer(reviewer, purpose)
        purpose.state = PurposeState.SENT_BACK
        purpose.sent_back_reason = reason.strip()
        purpose.save(update_fields=["state", "sent_back_reason"])
        append(entry(actor, Action.PURPOSE_SEND_BACK, purpose.id))
    return purpose


def open_purpose(actor: Actor, reviewer: User, purpose_id: UUID, looked_again: str = "") -> Purpose:
    """The data protection officer opens a reviewed purpose; screened once more, never by an author.

    ``looked_again``: what the reviewer found on reading the words that ask to look again; needed where
    there are any.
    """
    found = Purpose.objects.get(pk=purpose_id)
    screen(
        actor,
        {
            "name": found.name,
            "sector": found.sector,
            "uses": found.uses,
            "exception": found.exception,
        },
    )
    with transaction.atomic():
        purpose = locked(purpose_id)
        if purpose.state != PurposeState.IN_REVIEW:
            raise InvalidPurpose(
                f"Only a purpose in review can be opened; this is {stage(purpose)}."
            )
        require_reviewer(reviewer, purpose)
        require_nothing(missing_for_opening(purpose, reviewer))
        if look_again(purpose) and not looked_again.strip():
            raise InvalidPurpose(
                "Words in this purpose ask to look again: say in your own words what you found."
            )
        purpose.state = PurposeState.OPEN
        purpose.opened_by = reviewer
        purpose.opened_at = timezone.now()
        purpose.looked_again = looked_again.strip()
        purpose.save(update_fields=["state", "opened_by", "opened_at", "looked_again"])
        append(entry(actor, Action.PURPOSE_OPEN, purpose.id))
    return purpose


ENDS_AFTER_DAYS = 90
"""How long a closed purpose keeps what it has, unless whoever closes it says less or more."""
ENDS_AFTER_AT_MOST = 365


def close_purpose(actor: Actor, purpose_id: UUID, keep_days: int = ENDS_AFTER_DAYS) -> Purpose:
    """No more recordings; what exists stays readable until its own date, at most ``keep_days`` more.

    Then everything of the purpose is erased (``consent.retention.end_purposes``).
    """
    if not 1 <= keep_days <= ENDS_AFTER_AT_MOST:
        raise InvalidPurpose(
            f"A closed purpose keeps what it has for 1 to {ENDS_AFTER_AT_MOST} days; got {keep_days}."
        )
    with transaction.atomic():
        purpose = locked(purpose_id)
        if purpose.state != PurposeState.OPEN:
            raise InvalidPurpose(f"Only an open purpose can be closed; this is {stage(purpose)}.")
        purpose.state = PurposeState.CLOSED
        purpose.closed_at = timezone.now()
        purpose.ends_at = purpose.closed_at + timedelta(days=keep_days)
        purpose.save(update_fields=["state", "closed_at", "ends_at"])
        append(entry(actor, Action.PURPOSE_CLOSE, purpose.id))
    return purpose


def assign(actor: Actor, purpose: Purpose, researcher: User) -> None:
    """Let a researcher see the recordings of this purpose; a second call changes nothing."""
    if researcher.role != Role.RESEARCHER:
        raise InvalidPurpose("Only researchers are assigned to a purpose.")
    with transaction.atomic():
        _member, created = PurposeMember.objects.get_or_create(purpose=purpose, user=researcher)
        if created:
            append(entry(actor, Action.PURPOSE_ASSIGN, purpose.id))
