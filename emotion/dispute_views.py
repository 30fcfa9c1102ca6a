"""Pages of disputes: the person's three buttons, and the operators' list and answer."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.actors import Actor, actor_of
from accounts.models import ApiClient
from accounts.permissions import require_permission
from audit_log.paging import page_of
from consent.forms import ConfirmForm
from consent.operator_views import UNPROCESSABLE
from consent.templatetags.operate import short
from emotion.disputes import ERASED_AFTER, dispute, erase_own, handle, retract
from emotion.errors import EmotionError, NotFound
from emotion.models import Dispute, Recording

# --- the person's own ------------------------------------------------------------------------------


@require_permission("emotion.dispute_own_recording")
@require_POST
def dispute_own(request: HttpRequest, recording_id: UUID) -> HttpResponse:
    """“This is not me”: one step; the recording's page then says what has happened."""
    dispute(actor_of(request), recording_id)
    return redirect("own_recording", recording_id)


@require_permission("emotion.dispute_own_recording")
@require_POST
def retract_own(request: HttpRequest, recording_id: UUID) -> HttpResponse:
    """It was a mistake."""
    try:
        retract(actor_of(request), recording_id)
    except NotFound:
        raise
    except EmotionError as error:
        messages.error(request, str(error))
    return redirect("own_recording", recording_id)


@require_permission("emotion.dispute_own_recording")
@require_POST
def erase_disputed(request: HttpRequest, recording_id: UUID) -> HttpResponse:
    """The person wants the disputed recording gone now."""
    try:
        erase_own(actor_of(request), recording_id)
    except NotFound:
        raise
    except EmotionError as error:
        messages.error(request, str(error))
    return redirect("own_recording", recording_id)


# --- the operators' ----------------------------------------------------------------------------------


def uploader(recording: Recording) -> str:
    """Who uploaded it, as operators know them."""
    kind, _colon, identity = recording.uploaded_by.partition(":")
    if kind == "client":
        client = ApiClient.objects.filter(pk=identity).first()
        if client is not None:
            return _("API client “%(name)s”") % {"name": client.name}
    return _("the person, on their own page")


def find_dispute(actor: Actor, dispute_id: UUID) -> Dispute:
    """The dispute, if this operator may know of it; NotFound otherwise."""
    found = (
        Dispute.objects.visible_to(actor)
        .select_related("recording__purpose", "handled_by")
        .filter(pk=dispute_id)
        .first()
    )
    if found is None:
        raise NotFound(_("There is no such dispute."))
    return found


@require_permission("emotion.view_disputes")
@require_safe
def disputes(request: HttpRequest) -> HttpResponse:
    """Every dispute of the studies that this operator works with, newest first."""
    rows = Dispute.objects.visible_to(actor_of(request)).select_related("recording__purpose")
    only_open = request.GET.get("show") == "open"
    page = page_of(request, rows.open() if only_open else rows)
    context = {"page": page, "only_open": only_open}
    return render(request, "operators/disputes.html", context)


@require_permission("emotion.view_disputes")
@require_http_methods(["GET", "HEAD", "POST"])
def dispute_detail(request: HttpRequest, dispute_id: UUID) -> HttpResponse:
    """One dispute: who uploaded what when; for those who may answer, the one answer there is."""
    actor = actor_of(request)
    found = find_dispute(actor, dispute_id)
    number = short(found.recording_id)
    may_handle = request.user.has_perm("emotion.handle_dispute")
    form, status = ConfirmForm(request.POST or None, expected=number), 200
    if request.method == "POST":
        if not may_handle:
            raise NotFound(_("There is no such dispute."))
        status = UNPROCESSABLE
        if form.is_valid():
            try:
                handle(actor, dispute_id)
            except EmotionError as error:
                form.add_error(None, str(error))
            else:
                messages.success(
                    request, _("The recording is being erased; the dispute is closed.")
                )
                return redirect("operate_dispute", dispute_id)
    context: dict[str, Any] = {
        "dispute": found,
        "recording": found.recording,
        "uploader": uploader(found.recording),
        "erased_by": found.opened_at + ERASED_AFTER,
        "form": form if may_handle else None,
        "back_url": reverse("operate_disputes"),
        "back_label": _("Disputes"),
    }
    return render(request, "operators/dispute.html", context, status=status)
