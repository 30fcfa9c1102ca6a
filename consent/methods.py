"""How a consent came about, where it was not the person alone on these pages, in words for them."""

from __future__ import annotations

from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from consent.models import ConsentEvent, DataSubject, EventKind

Text = str | Promise

YES = (EventKind.GIVEN, EventKind.RENEWED, EventKind.REAFFIRMED)
PAPER = "paper"
HOW: dict[str, Text] = {
    PAPER: _("On a paper that you signed, entered by the study's staff"),
}
"""By the method of an event; what is not here was done on these pages."""


def how_each_yes_came(subject: DataSubject) -> dict[UUID, str]:
    """By purpose: the method of the person's last yes; one query."""
    events = ConsentEvent.objects.filter(subject=subject, kind__in=YES).order_by("sequence")
    return dict(events.values_list("purpose_id", "method"))
