"""The data subject's pages about recordings: upload, state, own result."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods

from accounts.actors import actor_of
from accounts.permissions import require_permission
from consent.errors import ConsentRefused
from consent.models import ConsentState, ConsentStatus, DataSubject
from emotion.errors import EmotionError, UploadInvalid
from emotion.inference.media import MediaRefused
from emotion.intake import receive_upload
from emotion.models import AnalysisState, Recording
from emotion.results import find_recording, read_result
from emotion.uploads import Receiving, new_idempotency_key


def own_state(request: HttpRequest, purpose_id: UUID) -> ConsentState:
    """The signed-in person's consent to a purpose; 404 when it never asked them."""
    state = (
        ConsentState.objects.select_related("purpose", "subject")
        .filter(subject__user_id=request.user.pk, purpose_id=purpose_id)
        .first()
    )
    if state is None:
        raise Http404
    return state


def check_csrf(request: HttpRequest, token: str) -> None:
    """Django's own check, with the token from our stream parser.

    The middleware would parse the whole body to find the token, so the page is exempt from it and
    asks it here, as soon as the token has arrived and before the file has.
    """
    request.META[settings.CSRF_HEADER_NAME] = token
    refused = CsrfViewMiddleware(lambda _request: HttpResponse()).process_view(
        request, recordings, (), {}
    )
    if refused is not None:
        raise PermissionDenied("The form had expired; please load it again.")


def begin_upload(
    request: HttpRequest, subject: DataSubject, purpose_id: UUID, fields: dict[str, str]
) -> Receiving:
    """Check the form's token, then ask the gate; the file comes after both."""
    check_csrf(request, fields.get("csrfmiddlewaretoken", ""))
    key = fields.get("idempotency_key", "")
    if not 1 <= len(key) <= 128:
        raise UploadInvalid("The form was incomplete; please load it again.")
    return Receiving(actor_of(request), subject, purpose_id, key)


@csrf_exempt  # asked by check_csrf, from the stream
@require_permission("emotion.upload_own_recording")
@require_http_methods(["GET", "POST"])
def upload(request: HttpRequest, purpose_id: UUID) -> HttpResponse:
    """Upload a photograph of oneself."""
    state = own_state(request, purpose_id)
    error, status = "", 200
    if request.method == "POST":
        begin = partial(begin_upload, request, state.subject, purpose_id)
        try:
            analysis = receive_upload(request, begin)
        except (EmotionError, MediaRefused) as problem:
            error, status = str(problem), 422
        except ConsentRefused as refusal:
            error, status = str(refusal), 403
        else:
            return redirect("own_recording", analysis.recording_id)
    context = {
        "purpose": state.purpose,
        "state": state,
        "may_upload": state.status == ConsentStatus.GIVEN,
        "idempotency_key": new_idempotency_key(),
        "error": error,
        "max_mb": settings.PHOTO_MAX_BYTES // 1024**2,
    }
    return render(request, "emotion/upload.html", context, status=status)


@require_permission("emotion.view_own_recordings")
@require_GET
def recordings(request: HttpRequest) -> HttpResponse:
    """Everything that was recorded about me, with its state."""
    found = (
        Recording.objects.visible_to(actor_of(request))
        .select_related("purpose")
        .prefetch_related("analyses")
        .order_by("-created_at")[:100]
    )
    return render(request, "emotion/recordings.html", {"recordings": found})


@require_permission("emotion.view_own_recordings")
@require_GET
def recording(request: HttpRequest, recording_id: UUID) -> HttpResponse:
    """One recording: how far its analysis is."""
    found = find_recording(actor_of(request), recording_id)
    analyses = list(found.analyses.order_by("-queued_at"))
    under_way = any(a.state in {AnalysisState.QUEUED, AnalysisState.RUNNING} for a in analyses)
    context = {"recording": found, "analyses": analyses, "under_way": under_way}
    if request.headers.get("HX-Request"):
        return render(request, "emotion/recording_state.html", context)
    return render(request, "emotion/recording.html", context)


@require_permission("emotion.read_own_result")
@require_GET
def result(request: HttpRequest, analysis_id: UUID) -> HttpResponse:
    """What my face showed: in words first, then in numbers, with what could not be told."""
    opened = read_result(actor_of(request), analysis_id)
    context: dict[str, Any] = {
        "analysis": opened.analysis,
        "recording": opened.analysis.recording,
        "parts": opened.parts,
        "entry_id": opened.entry_id,
    }
    return render(request, "emotion/result.html", context)
