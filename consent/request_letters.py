"""What a person is written about their request: that it was answered, or takes longer.

The answer itself is in no message: it opens on the person's own page, where opening it is logged.
"""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import override

from accounts.actors import Actor
from consent.holds import day
from consent.messages import SealedMessage, has_address, language_for, seal_message
from consent.models import ExtensionReason, SubjectRequest


def letter_of_extension(
    actor: Actor, asked: SubjectRequest, reason: ExtensionReason, due_at: datetime
) -> SealedMessage | None:
    """The message about an extension."""
    language = language_for(asked.subject)
    with override(language):
        return letter(
            actor,
            asked,
            language,
            "request-extended",
            _("Your request takes longer"),
            _("Your request of %(day)s, “%(kind)s”, will be answered by %(until)s. %(reason)s.")
            % {
                "day": day(asked.received_at),
                "kind": asked.get_kind_display(),
                "until": day(due_at),
                "reason": ExtensionReason(reason).label,
            },
        )


def letter_of_answer(actor: Actor, asked: SubjectRequest) -> SealedMessage | None:
    """The message about an answer, which it does not hold: that opens on the person's own page."""
    language = language_for(asked.subject)
    with override(language):
        return letter(
            actor,
            asked,
            language,
            "request-answered",
            _("Your request was answered"),
            _(
                "Your request of %(day)s, “%(kind)s”, was answered. Read the answer on your own page:"
            )
            % {"day": day(asked.received_at), "kind": asked.get_kind_display()},
        )


def letter(
    actor: Actor, asked: SubjectRequest, language: str, kind: str, heading: str, words: str
) -> SealedMessage | None:
    """A message with the way to the request's page, sealed and not yet filed; None without an address."""
    if not has_address(asked.subject):
        return None
    page = settings.SITE_URL + reverse("own_request", args=[asked.id])
    return seal_message(
        actor,
        asked.subject,
        None,
        kind=kind,
        language=language,
        heading=heading,
        text=f"{words}\n\n{page}",
    )
