"""The data subject's pages about consent: the receipt, withdrawal, erasure."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from accounts.actors import actor_of
from accounts.models import User
from accounts.permissions import require_permission
from consent.erasure_words import what_is_erased
from consent.holds import hold_over, hold_words
from consent.kantara import has_kantara_form
from consent.last_entries import record_receipt_taken
from consent.models import (
    ConsentState,
    ConsentStatus,
    DataSubject,
    ErasureCause,
    ErasureRequest,
    Purpose,
    category_label,
)
from consent.receipts import erasure_receipt, receipt_id
from consent.recipients import recipients_of
from consent.sign_in_views import ways_back
from consent.withdrawals import withdraw

WITHDRAWABLE = {ConsentStatus.GIVEN, ConsentStatus.EXPIRED}


def own_subject(request: HttpRequest) -> DataSubject:
    """The data subject who is signed in; 404 for anybody else."""
    user = request.user
    subject = DataSubject.objects.filter(user=user).first() if isinstance(user, User) else None
    if subject is None:
        raise Http404
    return subject


def own_state(request: HttpRequest, purpose_id: UUID) -> ConsentState:
    """The signed-in person's state in a purpose that has asked them and not ended; 404 otherwise."""
    state = (
        ConsentState.objects.select_related("purpose", "notice", "event")
        .filter(subject=own_subject(request), purpose_id=purpose_id, tags_ended_at=None)
        .first()
    )
    if state is None:
        raise Http404
    return state


def category_labels(categories: list[str], purpose: Purpose) -> list[str]:
    """Data categories in words."""
    return [category_label(category, purpose.takes) for category in categories]


@require_permission("consent.view_own_consents")
@require_GET
def done(request: HttpRequest, purpose_id: UUID) -> HttpResponse:
    """What was decided, and the receipt."""
    state = own_state(request, purpose_id)
    if state.status not in {ConsentStatus.GIVEN, ConsentStatus.REFUSED} or state.event is None:
        return redirect("subject_home")
    given = state.status == ConsentStatus.GIVEN
    declined = [name for name in state.purpose.categories if name not in state.categories]
    erased = ErasureRequest.objects.filter(
        subject_id=state.subject_id,
        purpose_id=purpose_id,
        cause=ErasureCause.NARROWED,
        category__in=declined,
        requested_at__gte=state.event.at,
    )
    context = {
        "purpose": state.purpose,
        "state": state,
        "given": given,
        "granted": category_labels(state.categories, state.purpose),
        "declined": category_labels(declined, state.purpose) if given else [],
        "erased": category_labels([each.category for each in erased], state.purpose),
        "ways_back": ways_back(own_subject(request)),
        "event": state.event,
        "valid_until": state.valid_until,
        "notice": state.notice,
        "receipt_number": receipt_id(state.event),
        "receipt_url": reverse("consent_receipt", args=[state.event.id]),
        "has_kantara": has_kantara_form(state.event.kind),
        "upload_url": reverse("upload", args=[purpose_id])
        if given and not state.restricted_at
        else "",
    }
    return render(request, "consent/consent_done.html", context)


@require_permission("consent.withdraw_consent")
@require_http_methods(["GET", "POST"])
def withdraw_page(request: HttpRequest, purpose_id: UUID) -> HttpResponse:
    """What will happen, in plain words, and one button."""
    state = own_state(request, purpose_id)
    if request.method == "GET" and state.status not in WITHDRAWABLE:
        return redirect("subject_home")
    if request.method == "POST":
        request_made = withdraw(actor_of(request), own_subject(request), state.purpose)
        return redirect("erasure", request_made.id)
    hold = hold_words(hold_over(state.subject_id, purpose_id))
    context = {"purpose": state.purpose, "state": state, "hold": hold}
    return render(request, "consent/withdraw.html", context)


def own_erasure(request: HttpRequest, erasure_id: UUID) -> ErasureRequest:
    """One of the signed-in person's erasures; 404 otherwise."""
    found = (
        ErasureRequest.objects.select_related("purpose")
        .filter(pk=erasure_id, subject=own_subject(request))
        .first()
    )
    if found is None:
        raise Http404
    return found


@require_permission("consent.view_own_consents")
@require_GET
def erasure(request: HttpRequest, erasure_id: UUID) -> HttpResponse:
    """How far an erasure is."""
    found = own_erasure(request, erasure_id)
    held = found.begun_at is None
    context = {
        "erasure": found,
        "what": what_is_erased(found),
        "hold": hold_words(hold_over(found.subject_id, found.purpose_id)) if held else "",
        "purpose": found.purpose,
        "progress_url": reverse("erasure", args=[found.id]),
        "receipt_url": reverse("erasure_receipt", args=[found.id]),
        "recipients": recipients_of(found),
    }
    page = "erasure_progress" if request.headers.get("HX-Request") else "erasure"
    return render(request, f"consent/{page}.html", context)


def download(document: dict[str, Any], name: str) -> JsonResponse:
    """A JSON document to keep."""
    response = JsonResponse(document, json_dumps_params={"indent": 2})
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@require_permission("consent.view_own_consents")
@require_GET
def erasure_receipt_file(request: HttpRequest, erasure_id: UUID) -> HttpResponse:
    """The erasure receipt with its proofs."""
    found = own_erasure(request, erasure_id)
    document = erasure_receipt(found)
    record_receipt_taken(found)
    return download(document, "erasure-receipt.json")
