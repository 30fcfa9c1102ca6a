"""The page that closes an account, and the one that is left of it: the receipts."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth import logout
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from accounts.actors import actor_of
from accounts.permissions import require_permission
from consent.account_closing import RECEIPTS_FOR, close_account, find_closed
from consent.erasure_views import with_words
from consent.holds import hold_over, hold_words
from consent.last_entries import record_receipt_taken
from consent.models import ConsentState, ConsentStatus, DataSubject, ErasureRequest
from consent.receipts import erasure_receipt
from consent.views import download, own_subject


@require_permission("consent.erase_own_data")
@require_http_methods(["GET", "POST"])
@never_cache
def close(request: HttpRequest) -> HttpResponse:
    """What will happen, in plain words, and one button."""
    subject = own_subject(request)
    if request.method == "POST":
        token = close_account(actor_of(request), subject)
        logout(request)
        return redirect("closed_account", token)
    states = ConsentState.objects.filter(subject=subject, tags_ended_at=None)
    states = states.select_related("purpose").order_by("purpose__name")
    context = {
        "states": states,
        "standing": states.filter(status=ConsentStatus.GIVEN),
        "hold": hold_words(hold_over(subject.id, None)),
        "days": RECEIPTS_FOR.days,
    }
    return render(request, "consent/close_account.html", context)


def subject_of(token: str) -> DataSubject:
    """Whose closed account this link belongs to; 404 when it is unknown or over."""
    subject = find_closed(token)
    if subject is None:
        raise Http404
    return subject


@require_GET
@never_cache
def closed(request: HttpRequest, token: str) -> HttpResponse:
    """That the account is closed, how far its erasures are, and their receipts."""
    subject = subject_of(token)
    rows = list(
        ErasureRequest.objects.filter(subject=subject)
        .select_related("purpose")
        .order_by("-requested_at")
    )
    context = {
        "lines": with_words(rows),
        "token": token,
        "address": request.build_absolute_uri(request.path),
        "hold": hold_words(hold_over(subject.id, None)),
        "days": RECEIPTS_FOR.days,
    }
    return render(request, "consent/closed_account.html", context)


@require_GET
@never_cache
def closed_receipt(request: HttpRequest, token: str, erasure_id: UUID) -> HttpResponse:
    """One receipt of a closed account."""
    found = ErasureRequest.objects.filter(subject=subject_of(token), pk=erasure_id).first()
    if found is None:
        raise Http404
    document = erasure_receipt(found)
    record_receipt_taken(found)
    return download(document, "erasure-receipt.json")
