"""The data subject's start page: what runs about me, in one glance."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET

from accounts.actors import actor_of
from accounts.permissions import require_permission
from consent.history import access_history
from consent.models import (
    ConsentState,
    ConsentStatus,
    DataCategory,
    ErasureCause,
    ErasureRequest,
    PurposeState,
)
from consent.views import own_subject
from emotion.models import AnalysisState, Recording


def consent_card(state: ConsentState, erasure: ErasureRequest | None) -> dict[str, Any]:
    """One purpose on the person's start page."""
    live = state.status == ConsentStatus.GIVEN
    purpose = state.purpose
    labels = dict(DataCategory.choices)
    keeps = ngettext(
        "Results for %(days)s day.",
        "Results for %(days)s days.",
        purpose.result_retention_days or 0,
    ) % {"days": purpose.result_retention_days}
    if not purpose.keep_media:
        keeps += " " + _("Photographs are deleted once they have been measured.")
    ask = state.status in {ConsentStatus.REQUESTED, ConsentStatus.REFUSED}
    renew = state.status in {ConsentStatus.EXPIRED, ConsentStatus.WITHDRAWN}
    is_open = purpose.state == PurposeState.OPEN
    return {
        "purpose": purpose,
        "state": state.status,
        "label": state.get_status_display(),
        "categories": [labels[category] for category in state.categories],
        "valid_until": state.valid_until if live else None,
        "keeps": keeps if live else "",
        "notice_url": reverse("consent_notice", args=[purpose.id])
        if is_open and (ask or renew)
        else "",
        "upload_url": reverse("upload", args=[purpose.id]) if live and is_open else "",
        "withdraw_url": reverse("consent_withdraw", args=[purpose.id]) if live else "",
        "erasure_url": reverse("erasure", args=[erasure.id]) if erasure and not live else "",
    }


def recording_rows(request: HttpRequest) -> list[dict[str, Any]]:
    """The person's newest recordings with the state of their newest analysis."""
    found = (
        Recording.objects.visible_to(actor_of(request))
        .select_related("purpose")
        .prefetch_related("analyses")
        .order_by("-created_at")[:50]
    )
    rows = []
    for recording in found:
        analysis = max(recording.analyses.all(), key=lambda a: a.queued_at)
        done = analysis.state == AnalysisState.DONE
        rows.append(
            {
                "id": recording.id,
                "created_at": recording.created_at,
                "purpose_name": recording.purpose.name,
                "state": analysis.state,
                "label": analysis.get_state_display(),
                "url": reverse("own_recording", args=[recording.id]),
                "result_url": reverse("own_result", args=[analysis.id]) if done else "",
            }
        )
    return rows


@require_permission("consent.view_own_consents")
@require_GET
def subject_home(request: HttpRequest) -> HttpResponse:
    """What runs about me, in one glance."""
    subject = own_subject(request)
    states = list(
        ConsentState.objects.filter(subject=subject)
        .select_related("purpose", "notice", "event")
        .order_by("-changed_at")
    )
    erasures = {
        erasure.purpose_id: erasure
        for erasure in ErasureRequest.objects.filter(
            subject=subject, cause=ErasureCause.WITHDRAWAL
        ).order_by("requested_at")
    }
    looks = [access for access in access_history(subject) if access.is_look]
    context = {
        "live_count": sum(state.status == ConsentStatus.GIVEN for state in states),
        "consents": [consent_card(state, erasures.get(state.purpose_id)) for state in states],
        "recordings": recording_rows(request),
        "looks": looks[:5],
    }
    return render(request, "consent/subject_home.html", context)
