"""The access log as operators see it: who did what, when and why. Tags stand for people.

This room knows no roles; it asks Django's permissions by codename. Looking at the log is itself an
entry of the log.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time
from functools import wraps
from typing import Any
from uuid import UUID

from django import forms
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from audit_log.actions import Action, Outcome, ReasonCode
from audit_log.entries import Draft
from audit_log.errors import EntryNotIntegrated
from audit_log.log import append_durable
from audit_log.models import Checkpoint, LogEntry, LogEntryQuerySet
from audit_log.paging import page_of
from audit_log.proofs import tlog_proof_text
from audit_log.sequencer import waiting

VIEW_LOG = "audit_log.view_logentry"
View = Callable[..., HttpResponseBase]


class LogFilter(forms.Form):
    """What to look for. Everything is optional; nothing in it names a person."""

    action = forms.ChoiceField(
        label=_("Action"),
        required=False,
        choices=[("", _("All")), *((a.value, a.value) for a in Action)],
    )
    outcome = forms.ChoiceField(
        label=_("Outcome"),
        required=False,
        choices=[("", _("All")), *((o.value, o.value) for o in Outcome)],
    )
    reason = forms.ChoiceField(
        label=_("Reason"),
        required=False,
        choices=[("", _("All")), *((r.value, r.value) for r in ReasonCode)],
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
        for name in ("action", "outcome", "reason"):
            if wanted[name]:
                rows = rows.filter(**{name: wanted[name]})
        if wanted["purpose"]:
            rows = rows.of_purpose(wanted["purpose"])
        if wanted["since"]:
            rows = rows.filter(time__gte=start_of(wanted["since"], time.min))
        if wanted["until"]:
            rows = rows.filter(time__lte=start_of(wanted["until"], time.max))
        return rows


def start_of(day: Any, moment: time) -> datetime:
    """A moment of a day in the installation's time zone."""
    return timezone.make_aware(datetime.combine(day, moment))


def require_log_permission(view: View) -> View:
    """Guard a page: sign in first; without the permission there is nothing here."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        if not request.user.has_perm(VIEW_LOG):
            raise Http404
        return view(request, *args, **kwargs)

    return guarded


def note_reading(request: HttpRequest, purpose_id: UUID | None = None) -> None:
    """Write down who looks at the log; raises LogUnavailable, and then nothing is shown."""
    actor = f"operator:{request.user.pk}"
    append_durable(Draft(action=Action.LOG_READ, actor=actor, purpose_id=purpose_id))


@require_log_permission
@require_safe
def entries(request: HttpRequest) -> HttpResponse:
    """Entries, newest first, by action, outcome, reason, purpose and time."""
    found = LogFilter(request.GET)
    rows = found.apply(LogEntry.objects.defer("body"))
    page = page_of(request, rows, by="index")
    note_reading(request, found.cleaned_data.get("purpose"))
    context = {
        "page": page,
        "filter": found,
        "filtered": any(value for key, value in found.cleaned_data.items()),
        "checkpoint": Checkpoint.objects.order_by("-size").first(),
        "waiting": waiting().count(),
    }
    return render(request, "operators/log.html", context)


@require_log_permission
@require_safe
def entry(request: HttpRequest, entry_id: UUID) -> HttpResponse:
    """One entry as its bytes say it, with the proof that a signed checkpoint covers it."""
    found = get_object_or_404(LogEntry, entry_id=entry_id)
    note_reading(request, found.purpose_id)
    try:
        proof = tlog_proof_text(found.entry_id)
    except EntryNotIntegrated:
        proof = ""
    context = {
        "entry": found,
        "draft": found.entry().draft,
        "body": found.body.decode(),
        "proof": proof,
    }
    return render(request, "operators/log_entry.html", context)
