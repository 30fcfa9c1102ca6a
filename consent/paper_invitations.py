"""Telling a person that a consent which they signed on paper was entered, with a way in for themself."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import override

from accounts.actors import Actor
from consent.invitations import create_invitation, invitation_url
from consent.messages import has_address, language_for, queue_message
from consent.models import DataSubject, Purpose


def tell_by_mail(actor: Actor, subject: DataSubject, purpose: Purpose) -> bool:
    """Queue the message to the person's own address; False when there is none."""
    if not has_address(subject):
        return False
    token = create_invitation(actor, subject, purpose, show_to_operator=False)
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
    queue_message(
        actor,
        subject,
        purpose,
        kind="invitation",
        heading=heading,
        text="\n\n".join(paragraphs),
    )
    return True
