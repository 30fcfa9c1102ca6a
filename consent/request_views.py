"""The person's own pages of requests: what can be asked, what was asked, and the answers."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.actors import actor_of
from accounts.permissions import require_permission
from audit_log.paging import page_of
from consent.errors import InvalidRequest
from consent.models import (
    ConsentState,
    DataSubject,
    RequestKind,
    RequestOutcome,
    SubjectRequest,
)
from consent.request_clock import days_left
from consent.request_forms import OwnRequestForm
from consent.request_texts import parts_of
from consent.request_words import LEADS, MEANINGS, shortcuts
from consent.requests import find_own, make_request, read_own, retract
from consent.views import own_subject

UNPROCESSABLE = 422


def own_states(subject: DataSubject) -> list[ConsentState]:
    """The person's states in every study that ever asked them."""
    states = ConsentState.objects.filter(subject=subject).select_related("purpose")
    return list(states.order_by("purpose__name"))


def own_asked(request: HttpRequest, request_id: UUID) -> SubjectRequest:
    """One of the signed-in person's requests; 404 otherwise."""
    found = find_own(own_subject(request), request_id)
    if found is None:
        raise Http404
    return found


@require_permission("consent.make_request")
@require_GET
def requests(request: HttpRequest) -> HttpResponse:
    """What can be asked, and everything that was."""
    rows = SubjectRequest.objects.filter(subject=own_subject(request), erased_at=None)
    context = {
        "page": page_of(request, rows.select_related("purpose")),
        "kinds": [
            {"value": kind.value, "label": kind.label, "meaning": MEANINGS[kind]}
            for kind in RequestKind
        ],
    }
    return render(request, "consent/requests.html", context)


@require_permission("consent.make_request")
@require_http_methods(["GET", "POST"])
@never_cache
def request_new(request: HttpRequest, kind: str) -> HttpResponse:
    """First what can be done at once, then the form to the staff."""
    if kind not in RequestKind.values:
        raise Http404
    subject, chosen = own_subject(request), RequestKind(kind)
    states = own_states(subject)
    sent = request.POST if request.method == "POST" else None
    form, status = OwnRequestForm(sent, states=states), 200
    if sent is not None:
        status = UNPROCESSABLE
        if form.is_valid():
            try:
                asked = make_request(
                    actor_of(request),
                    subject,
                    kind=chosen,
                    purpose=form.purpose(),
                    text=form.cleaned_data["text"],
                )
            except InvalidRequest as refused:
                form.add_error(None, str(refused))
            else:
                messages.success(request, _("Your request is with the staff."))
                return redirect("own_request", asked.id)
    context = {
        "form": form,
        "kind": chosen,
        "meaning": MEANINGS[chosen],
        "lead": LEADS.get(chosen, ""),
        "shortcuts": shortcuts(kind, states),
        "authorities": sorted({state.purpose.authority for state in states}),
    }
    return render(request, "consent/request_new.html", context, status=status)


def about(asked: SubjectRequest) -> dict[str, Any]:
    """What both pages of one request show of it."""
    return {
        "asked": asked,
        "days": days_left(asked.due_at),
        "has_text": bool(parts_of(asked)),
    }


@require_permission("consent.make_request")
@require_GET
@never_cache
def own_request(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """One request: how it stands, what was written and what was answered; opening it is logged."""
    asked = own_asked(request, request_id)
    refused = asked.outcome in {RequestOutcome.REFUSED, RequestOutcome.PARTLY}
    states = own_states(asked.subject) if refused else []
    chosen = [s for s in states if asked.purpose_id in {None, s.purpose_id}]
    context = about(asked) | {
        "opened": read_own(actor_of(request), asked),
        "authorities": sorted({state.purpose.authority for state in chosen}),
    }
    return render(request, "consent/request.html", context)


@require_permission("consent.make_request")
@require_POST
def request_retract(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """Take it back; what was written is destroyed."""
    asked = own_asked(request, request_id)
    try:
        retract(actor_of(request), asked)
    except InvalidRequest as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, _("Taken back. Nobody answers it any more."))
    return redirect("own_request", request_id)
