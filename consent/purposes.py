"""The life of a purpose: draft → in review → open → closed.

An administrator writes it, the data protection officer opens it; what the screening refuses cannot be
created at all, and the refusal is in the log.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.actors import Actor
from accounts.models import Role, User
from audit_log.actions import Action, Outcome, ReasonCode
from audit_log.entries import Draft
from audit_log.log import append, append_durable
from consent.errors import InvalidPurpose, ProhibitedPurpose
from consent.models import DataCategory, Purpose, PurposeMember, PurposeState
from consent.screening import refusals


def entry(actor: Actor, action: Action, purpose_id: UUID) -> Draft:
    """The log entry of something done to a purpose."""
    return Draft(action=action, actor=actor.log_name(), purpose_id=purpose_id)


def screen(actor: Actor, sector: str, uses: list[str]) -> None:
    """Raise ProhibitedPurpose, after writing the refusal to the log, when the screening refuses."""
    found = refusals(sector, uses)
    if found:
        append_durable(
            Draft(
                action=Action.PURPOSE_REFUSE,
                actor=actor.log_name(),
                outcome=Outcome.REFUSED,
                reason=ReasonCode.PROHIBITED_PURPOSE,
            )
        )
        raise ProhibitedPurpose("; ".join(found))


def check_fields(values: dict[str, Any]) -> None:
    """Raise InvalidPurpose unless the categories and periods make sense together."""
    categories = values.get("categories") or []
    unknown = sorted(set(categories) - set(DataCategory.values))
    if unknown:
        raise InvalidPurpose(f"Unknown data categories {unknown}; known: {DataCategory.values}.")
    if DataCategory.MEDIA not in categories:
        raise InvalidPurpose("A purpose that records nobody's face needs no consent platform.")
    for name in ("media_retention_days", "result_retention_days", "consent_validity_days"):
        if values.get(name) is not None and values[name] < 1:
            raise InvalidPurpose(f"{name} must be at least one day; got {values[name]}.")


def create_purpose(actor: Actor, author: User, **values: Any) -> Purpose:
    """A new purpose in draft. Raises ProhibitedPurpose or InvalidPurpose; then nothing was made."""
    screen(actor, values["sector"], values["uses"])
    check_fields(values)
    with transaction.atomic():
        purpose = Purpose.objects.create(created_by=author, **values)
        append(entry(actor, Action.PURPOSE_CREATE, purpose.id))
    return purpose


def locked(purpose_id: UUID) -> Purpose:
    """The purpose under a row lock; inside a transaction only."""
    return Purpose.objects.select_for_update().get(pk=purpose_id)


def submit_for_review(actor: Actor, purpose_id: UUID) -> Purpose:
    """Hand a complete draft to the data protection officer."""
    with transaction.atomic():
        purpose = locked(purpose_id)
        if purpose.state != PurposeState.DRAFT:
            raise InvalidPurpose(f"Only a draft can be submitted; this purpose is {purpose.state}.")
        if not purpose.notices.exists():
            raise InvalidPurpose("Publish a privacy notice before the purpose is reviewed.")
        if not purpose.media_retention_days or not purpose.result_retention_days:
            raise InvalidPurpose("Set both retention periods: without a date nothing may be kept.")
        purpose.state = PurposeState.IN_REVIEW
        purpose.save(update_fields=["state"])
        append(entry(actor, Action.PURPOSE_SUBMIT, purpose.id))
    return purpose


def open_purpose(actor: Actor, reviewer: User, purpose_id: UUID) -> Purpose:
    """The data protection officer opens a reviewed purpose; screened once more, never by its author."""
    found = Purpose.objects.get(pk=purpose_id)
    screen(actor, found.sector, found.uses)
    with transaction.atomic():
        purpose = locked(purpose_id)
        if purpose.state != PurposeState.IN_REVIEW:
            raise InvalidPurpose(
                f"Only a purpose in review can be opened; this is {purpose.state}."
            )
        if reviewer.role != Role.DPO or reviewer.pk == purpose.created_by_id:
            raise InvalidPurpose(
                "A purpose is opened by a data protection officer, not its author."
            )
        purpose.state = PurposeState.OPEN
        purpose.opened_by = reviewer
        purpose.opened_at = timezone.now()
        purpose.save(update_fields=["state", "opened_by", "opened_at"])
        append(entry(actor, Action.PURPOSE_OPEN, purpose.id))
    return purpose


def close_purpose(actor: Actor, purpose_id: UUID) -> Purpose:
    """No more recordings; what exists stays readable until its retention ends."""
    with transaction.atomic():
        purpose = locked(purpose_id)
        if purpose.state != PurposeState.OPEN:
            raise InvalidPurpose(f"Only an open purpose can be closed; this is {purpose.state}.")
        purpose.state = PurposeState.CLOSED
        purpose.closed_at = timezone.now()
        purpose.save(update_fields=["state", "closed_at"])
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
