"""What operators look for in the log: by actor, action, outcome, reason, purpose and time.

Every list is newest first by time, which every index behind it ends with; the index in the tree tells
entries of the same moment apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from audit_log.actions import Action, Outcome, ReasonCode
from audit_log.entries import ACTOR
from audit_log.models import LogEntry, LogEntryQuerySet
from audit_log.paging import behind, first_rows

BATCH = 1000


def is_actor(value: str) -> None:
    """Raise ValidationError unless somebody can act under this name."""
    if ACTOR.fullmatch(value) is None:
        raise ValidationError(
            _(
                "An actor is written operator:<uuid>, client:<uuid>, auditor:<uuid>, "
                "system:<name>, subject:<64 hex digits> or anonymous."
            ),
            code="actor",
        )


class Codes(forms.Select):
    """A list of the log's own words, which are the same in every language."""

    def __init__(self, **given: Any) -> None:
        super().__init__(attrs={"translate": "no"}, **given)


class LogFilter(forms.Form):
    """What to look for. Everything is optional; nothing in it names a person."""

    actor = forms.CharField(
        label=_("Actor"),
        required=False,
        max_length=80,
        validators=[is_actor],
        widget=forms.TextInput(attrs={"list": "actors", "autocomplete": "off"}),
    )
    action = forms.ChoiceField(
        label=_("Action"),
        required=False,
        choices=[("", _("All")), *((a.value, a.value) for a in Action)],
        widget=Codes,
    )
    outcome = forms.ChoiceField(
        label=_("Outcome"),
        required=False,
        choices=[("", _("All")), *((o.value, o.value) for o in Outcome)],
        widget=Codes,
    )
    reason = forms.ChoiceField(
        label=_("Reason"),
        required=False,
        choices=[("", _("All")), *((r.value, r.value) for r in ReasonCode)],
        widget=Codes,
    )
    purpose = forms.UUIDField(label=_("Purpose"), required=False)
    since = forms.DateField(
        label=_("From"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    until = forms.DateField(
        label=_("To"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )

    def apply(self, rows: LogEntryQuerySet) -> LogEntryQuerySet:
        """The entries that fit; an invalid filter finds nothing and says why."""
        if not self.is_valid():
            return rows.none()
        wanted = self.cleaned_data
        for name in ("actor", "action", "outcome", "reason"):
            if wanted[name]:
                rows = rows.filter(**{name: wanted[name]})
        if wanted["purpose"]:
            rows = rows.of_purpose(wanted["purpose"])
        if wanted["since"]:
            rows = rows.filter(time__gte=moment_of(wanted["since"], time.min))
        if wanted["until"]:
            rows = rows.filter(time__lte=moment_of(wanted["until"], time.max))
        return rows

    def entries(self) -> LogEntryQuerySet:
        """The entries that fit, latest first."""
        return self.apply(LogEntry.objects.all()).latest_first()


def moment_of(day: Any, moment: time) -> datetime:
    """A moment of a day in the installation's time zone."""
    return timezone.make_aware(datetime.combine(day, moment))


def in_batches(rows: LogEntryQuerySet, most: int) -> Iterator[LogEntry]:
    """Up to ``most`` of the rows, latest first, never more than a batch in memory."""
    last: LogEntry | None = None
    while most > 0:
        left = rows.filter(behind(last, "index", "time")) if last else rows
        batch = first_rows(left, min(BATCH, most))
        yield from batch
        if len(batch) < BATCH:
            return
        most, last = most - len(batch), batch[-1]
