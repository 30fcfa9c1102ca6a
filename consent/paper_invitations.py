"""Telling a person that a consent which they signed on paper was entered, with a way in for themself."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import override

from accounts.actors import Actor
from consent.invitations import file_invitation, invitation_url, new_invitation
from consent.messages import SealedMessage, has_address, language_for, seal_message
from consent.models import ConsentState, DataSubject, Invitation, Purpose
from consent.records import write_asking
from vault.tags import Tagger


@dataclass(frozen=True)
class SealedInvitation:
    """The message with its link, sealed and not yet filed, so that consent and message stand together."""

    invitation: Invitation
    message: SealedMessage

    def file(self, actor: Actor, state: ConsentState, tags: Tagger) -> None:
        """Put both in their places, in the transaction that has locked this state."""
        write_asking(actor, state, "e-mail", tags)
        file_invitation(actor, self.invitation, tags)
        self.message.file()


def seal_invitation(
    actor: Actor, subject: DataSubject, purpose: Purpose
) -> SealedInvitation | None:
    """What the person is written to their own address; None when there is none. Not under a lock."""
    if not has_address(subject):
        return None
    token, invitation = new_invitation(subject, purpose, show_to_operator=False)
    with override(language_for(subject, purpose)):
        heading = _("Your consent on paper: %(purpose)s") % {"purpose": purpose.name}
        paragraphs = [
            _("The staff of “%(purpose)s” have entered a consent that you signed on paper.")
            % {"purpose": purpose.name},
            _(
                "Please look whether it says what you signed. You can see every look at your data, and "
                "withdraw with one button, as if you had said yes here:"
            ),
            invitation_url(token),
            _("The link works once and for 14 days. Do not pass it on: it is yours alone."),
        ]
    message = seal_message(
        actor,
        subject,
        purpose,
        kind="invitation",
        heading=heading,
        text="\n\n".join(paragraphs),
    )
    return SealedInvitation(invitation, message)
