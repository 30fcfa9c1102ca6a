"""The access log as operators see it: who did what, when and why. Tags stand for people.

This room knows no roles; it asks Django's permissions by codename. Looking at the log is itself an
entry of the log.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any
from uuid import UUID

from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from audit_log.actions import Action
from audit_log.daily_verification import is_old
from audit_log.entries import Draft
from audit_log.errors import EntryNotIntegrated
from audit_log.log import append_durable
from audit_log.log_filter import LogFilter, in_batches
from audit_log.models import LogEntry, LogEntryQuerySet
from audit_log.paging import page_of, query
from audit_log.proofs import latest_checkpoint, tlog_proof_text
from audit_log.sequencer import lag, waiting
from audit_log.verdicts import last_verdict
from audit_log.ways_in import ask_to_sign_in
from audit_log.witnessed import standings

VIEW_LOG = "audit_log.view_logentry"
MOST_IN_A_FILE = 100_000
View = Callable[..., HttpResponseBase]


def require_log_permission(view: View) -> View:
    """Guard a page: sign in first; without the permission there is nothing here."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return ask_to_sign_in(request)
        if not request.user.has_perm(VIEW_LOG):
            raise Http404
        return view(request, *args, **kwargs)

    return guarded


def note_reading(
    request: HttpRequest, purpose_id: UUID | None = None, action: Action = Action.LOG_READ
) -> None:
    """Write down who looks at the log; raises LogUnavailable, and then nothing is shown."""
    actor = f"operator:{request.user.pk}"
    append_durable(Draft(action=action, actor=actor, purpose_id=purpose_id))


def status() -> dict[str, Any]:
    """How the log stands: what is signed, what waits, and what its last verification found."""
    verdict = last_verdict()
    return {
        "checkpoint": latest_checkpoint(),
        "waiting": waiting().count(),
        "lag": lag(),
        "verdict": verdict,
        "verdict_old": verdict is not None and is_old(verdict),
        "witnesses": standings(),
    }


@require_log_permission
@require_safe
def entries(request: HttpRequest) -> HttpResponse:
    """Entries, newest first, by actor, action, outcome, reason, purpose and time."""
    found = LogFilter(request.GET)
    page = page_of(request, found.entries(), by="index", after="time")
    note_reading(request, found.cleaned_data.get("purpose"))
    chosen = {key: value for key, value in found.cleaned_data.items() if value}
    context = {
        "page": page,
        "filter": found,
        "filtered": bool(chosen),
        "file": f"{reverse('operate_log_file')}{query(request, None)}",
        "most": MOST_IN_A_FILE,
        **status(),
    }
    return render(request, "operators/log.html", context)


@require_log_permission
@require_safe
def entries_file(request: HttpRequest) -> HttpResponseBase:
    """The same entries as JSON Lines, with what the list shows of each."""
    found = LogFilter(request.GET)
    if not found.is_valid():
        return HttpResponseRedirect(f"{reverse('operate_log')}?{request.GET.urlencode()}")
    note_reading(request, found.cleaned_data["purpose"], Action.LOG_EXPORT)
    answer = StreamingHttpResponse(json_lines(found.entries()), content_type="application/jsonl")
    answer["Content-Disposition"] = 'attachment; filename="access-log.jsonl"'
    return answer


def json_lines(rows: LogEntryQuerySet) -> Iterator[str]:
    """One line for each entry; the last one says how many there are and whether these are all."""
    number = 0
    for number, row in enumerate(in_batches(rows, MOST_IN_A_FILE + 1), 1):
        if number <= MOST_IN_A_FILE:
            yield f"{json.dumps(as_listed(row))}\n"
    complete = number <= MOST_IN_A_FILE
    yield f"{json.dumps({'entries': min(number, MOST_IN_A_FILE), 'complete': complete})}\n"


def as_listed(row: LogEntry) -> dict[str, Any]:
    """What the list shows of an entry, with what it adds; of a tag, its end."""
    return {
        "index": row.index,
        "id": str(row.entry_id),
        "time": row.time.isoformat(),
        "actor": row.actor,
        "action": row.action,
        "about": row.subject_tag.hex()[-8:],
        "detail": row.detail(),
        "outcome": row.outcome,
        "reason": row.reason,
        "purpose": str(row.purpose_id) if row.purpose_id else "",
    }


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
        "shown": [found],
        "draft": found.entry().draft,
        "body": found.body.decode(),
        "proof": proof,
        "checkpoint": latest_checkpoint(),
    }
    return render(request, "operators/log_entry.html", context)
