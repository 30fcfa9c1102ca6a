"""How a consent came about, where it was not the person alone on these pages, in words for them."""

from __future__ import annotations

from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from consent.models import ConsentEvent, DataSubject, EventKind

Text = str | Promise

YES = (EventKind.GIVEN, EventKind.RENEWED, EventKind.REAFFIRMED)
PAPER, GUARDIAN, ASSENT = "paper", "guardian", "assent"
HOW: dict[str, Text] = {
    GUARDIAN: _("Your parent or guardian, beside you"),
    ASSENT: _("Your parent or guardian and you both said yes"),
    PAPER: _("On a paper that you signed, entered by the study's staff"),
}
"""By the method of an event that said yes; what is not here was done on these pages."""


def how_each_yes_came(subject: DataSubject) -> dict[UUID, str]:
    """By purpose: the method of the person's last yes; one query."""
    events = ConsentEvent.objects.filter(subject=subject, kind__in=YES).order_by("sequence")
    return dict(events.values_list("purpose_id", "method"))
