"""Handing over a message that waits in the outbox: an operator opens it, for a stated reason.

Whoever reads an invitation holds its link. So the link is marked as shown to an operator before the
message opens, and the consent record can never claim that it went only to the person.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction

from accounts.actors import Actor
from audit_log.actions import Action, ReasonCode
from audit_log.entries import Draft
from audit_log.log import append
from consent.enforcement import require_not_attester
from consent.messages import open_message
from consent.models import Invitation, OutboxMessage
from vault.tags import tagger


@dataclass(frozen=True)
class OpenMessage:
    """A message in plain, for one answer."""

    address: str
    heading: str
    text: str
    language: str

    def __repr__(self) -> str:
        return "OpenMessage(sealed)"


def hand_over(actor: Actor, message: OutboxMessage, reason: ReasonCode) -> OpenMessage:
    """Open a waiting message for an operator; every read is in the log first, with its reason.

    Raises the gate's, the log's and the vault's refusals (KeyDestroyed once it was sent).
    """
    require_not_attester(actor, message.subject_id)
    mark_link_as_shown(actor, message)
    return OpenMessage(*open_message(actor, message, Action.MESSAGE_READ, reason))


def mark_link_as_shown(actor: Actor, message: OutboxMessage) -> None:
    """Mark the open invitation to which this message belongs, with its entry; at most once."""
    if message.kind != "invitation" or message.purpose_id is None:
        return
    tags = tagger(message.subject_id, message.purpose_id)
    with transaction.atomic():
        invitation = (
            Invitation.objects.select_for_update()
            .filter(
                subject_id=message.subject_id,
                purpose_id=message.purpose_id,
                redeemed_at=None,
                revoked_at=None,
                shown_to_operator=False,
            )
            .first()
        )
        if invitation is None:
            return
        invitation.shown_to_operator = True
        invitation.save(update_fields=["shown_to_operator"])
        append(
            Draft(
                action=Action.INVITATION_SHOW,
                actor=actor.log_name(),
                purpose_id=message.purpose_id,
                subject_tag=tags.subject(),
                object_tag=tags.object("invitation", invitation.id),
            )
        )
