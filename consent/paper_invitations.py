"""Telling a person that a consent which they signed on paper was entered, with a way in for themself."""

from __future__ import annotations

from functools import partial

from django.utils.translation import gettext as _

from accounts.actors import Actor
from consent.invitations import SealedInvitation, seal_letter
from consent.messages import has_address
from consent.models import DataSubject, Purpose


def seal_invitation(
    actor: Actor, subject: DataSubject, purpose: Purpose
) -> SealedInvitation | None:
    """What the person is written to their own address; None when there is none. Not under a lock."""
    if not has_address(subject):
        return None
    return seal_letter(actor, subject, purpose, partial(words_of_paper, purpose))


def words_of_paper(purpose: Purpose, url: str) -> tuple[str, list[str]]:
    """What they are written, in the active language: heading, paragraphs."""
    return (
        _("Your consent on paper: %(purpose)s") % {"purpose": purpose.name},
        [
            _("The staff of “%(purpose)s” have entered a consent that you signed on paper.")
            % {"purpose": purpose.name},
            _(
                "Please look whether it says what you signed. You can see every look at your data, and "
                "withdraw with one button, as if you had said yes here:"
            ),
            url,
            _("The link works once and for 14 days. Do not pass it on: it is yours alone."),
        ],
    )
