"""The history of a person's consent in words, and the receipt of each event to keep."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from accounts.permissions import require_permission
from consent.kantara import has_kantara_form
from consent.methods import HOW, YES
from consent.models import ConsentEvent, EventKind
from consent.receipts import UNRECEIPTED, consent_receipt, kantara_document
from consent.views import category_labels, download, own_state, own_subject

WORDS = {
    EventKind.REQUESTED: _("You were asked"),
    EventKind.CANCELLED: _("The study took its question back"),
    EventKind.NOTICE_SHOWN: _("You opened the notice"),
    EventKind.GUARDIAN: _("Your parent or guardian said yes"),
    EventKind.GIVEN: _("You said yes"),
    EventKind.RENEWED: _("You said yes anew"),
    EventKind.REAFFIRMED: _("You said yes again, to the same"),
    EventKind.NARROWED: _("You stopped a part of it"),
    EventKind.RESTRICTED: _("You paused it"),
    EventKind.RESUMED: _("You let it go on"),
    EventKind.REFUSED: _("You said no"),
    EventKind.WITHDRAWN: _("You withdrew"),
    EventKind.EXPIRED: _("Your consent ended by itself"),
}
PAUSED_BY_A_RESTORE = _(
    "Paused by the installation after a backup was restored; let it go on if you like"
)


@require_permission("consent.view_own_consents")
@require_GET
def consent_history(request: HttpRequest, purpose_id: UUID) -> HttpResponse:
    """Everything that happened to this consent, newest first, with the page read and the receipts."""
    state = own_state(request, purpose_id)
    events = (
        ConsentEvent.objects.filter(subject_id=state.subject_id, purpose_id=purpose_id)
        .select_related("notice", "paper")
        .order_by("-sequence")
    )
    context = {
        "purpose": state.purpose,
        "state": state,
        "events": [in_words(event) for event in events],
    }
    return render(request, "consent/consent_history.html", context)


def in_words(event: ConsentEvent) -> dict[str, Any]:
    """One event for its line on the page."""
    by_a_restore = event.kind == EventKind.RESTRICTED and event.by == "system"
    return {
        "id": event.id,
        "what": PAUSED_BY_A_RESTORE if by_a_restore else WORDS[EventKind(event.kind)],
        "how": HOW.get(event.method, "") if event.kind in YES else "",
        "paper": getattr(event, "paper", None),
        "at": event.at,
        "categories": category_labels(event.categories, event.purpose),
        "valid_until": event.valid_until,
        "notice": event.notice if event.language else None,
        "language": event.language,
        "has_receipt": event.kind not in UNRECEIPTED,
        "has_kantara": has_kantara_form(event.kind),
    }


@require_permission("consent.view_own_consents")
@require_GET
def consent_receipt_file(request: HttpRequest, event_id: UUID) -> HttpResponse:
    """The receipt of one consent event; ``?form=kantara`` for the other form, where there is one."""
    event = (
        ConsentEvent.objects.select_related("purpose", "notice")
        .filter(pk=event_id, subject=own_subject(request))
        .exclude(kind__in=UNRECEIPTED)
        .first()
    )
    if event is None:
        raise Http404
    form = request.GET.get("form", "")
    if form == "kantara" and has_kantara_form(event.kind):
        return download(kantara_document(event), "consent-receipt-kantara.json")
    if form:
        raise Http404
    return download(consent_receipt(event), "consent-receipt.json")
