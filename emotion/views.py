"""The data subject's pages about recordings: upload, state, own result."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods

from accounts.actors import actor_of
from accounts.permissions import require_permission
from audit_log.actions import ReasonCode
from consent.errors import ConsentRefused
from consent.history_words import REASONS
from consent.holds import hold_over, hold_words
from consent.models import (
    ConsentState,
    ConsentStatus,
    DataCategory,
    DataSubject,
    MediaKind,
    category_label,
)
from consent.request_keys import is_key
from consent.views import own_subject
from emotion.comparison import comparable, with_result
from emotion.disputes import ERASED_AFTER, erasure_of
from emotion.errors import EmotionError, UploadInvalid
from emotion.film_views import film_beside
from emotion.home import closed_since, is_closed
from emotion.inference.media import MediaRefused
from emotion.inference.series import MEASURED_IN
from emotion.intake import receive_upload
from emotion.media_words import length_words, media_code_words, refusal_words
from emotion.models import AnalysisState, Recording, recording_standing
from emotion.reservations import new_idempotency_key
from emotion.result_pages import result_page, result_words
from emotion.results import find_recording, read_result
from emotion.upload_words import accepted, file_label, upload_words
from emotion.uploads import Receiving


def own_state(request: HttpRequest, purpose_id: UUID) -> ConsentState:
    """The signed-in person's consent to a purpose; 404 when it never asked them."""
    state = (
        ConsentState.objects.select_related("purpose", "subject")
        .filter(subject=own_subject(request), purpose_id=purpose_id)
        .first()
    )
    if state is None:
        raise Http404
    return state


def measured_labels(state: ConsentState) -> list[str]:
    """What the person let be measured, in words; the recording itself is not among it."""
    measured = [each for each in state.categories if each != DataCategory.MEDIA]
    return [category_label(each, state.purpose.takes) for each in measured]


def check_csrf(request: HttpRequest, token: str) -> None:
    """Django's own check, with the token from our stream parser.

    The middleware would parse the whole body to find the token, so the page is exempt from it and
    asks it here, as soon as the token has arrived and before the file has.
    """
    request.META[settings.CSRF_HEADER_NAME] = token
    refused = CsrfViewMiddleware(lambda _request: HttpResponse()).process_view(
        request, recording, (), {}
    )
    if refused is not None:
        raise PermissionDenied(_("The form had expired; please load it again."))


def begin_upload(
    request: HttpRequest, subject: DataSubject, purpose_id: UUID, fields: dict[str, str]
) -> Receiving:
    """Check the form's token, then ask the gate; the file comes after both."""
    check_csrf(request, fields.get("csrfmiddlewaretoken", ""))
    key = fields.get("idempotency_key", "")
    if not is_key(key):
        raise UploadInvalid(_("The form was incomplete; please load it again."))
    return Receiving(actor_of(request), subject, purpose_id, key)


class MediaForm(forms.Form):
    """The one field of the upload page; the file itself is read by ``emotion.intake``."""

    file = forms.FileField()

    def __init__(self, kind: MediaKind, *args: Any) -> None:
        super().__init__(*args)
        self.fields["file"].label = file_label(kind)
        self.fields["file"].widget = forms.FileInput(attrs={"accept": accepted(kind)})


def refused_form(kind: MediaKind, message: str) -> MediaForm:
    """The form again, saying why the file was not taken."""
    form = MediaForm(kind, {}, MultiValueDict())
    form.errors["file"] = form.error_class([message], field_id=form["file"].auto_id)
    return form


@csrf_exempt  # asked by check_csrf, from the stream
@require_permission("emotion.upload_own_recording")
@require_http_methods(["GET", "POST"])
def upload(request: HttpRequest, purpose_id: UUID) -> HttpResponse:
    """Upload a photograph or film of oneself."""
    state = own_state(request, purpose_id)
    if state.status != ConsentStatus.GIVEN and request.method == "GET":
        return redirect("subject_home")
    kind = state.purpose.kind
    form, status = MediaForm(kind), 200
    if request.method == "POST":
        begin = partial(begin_upload, request, state.subject, purpose_id)
        try:
            analysis = receive_upload(request, begin)
        except (EmotionError, MediaRefused, ConsentRefused) as problem:
            form, status = refused_form(kind, refusal_words(problem)), 422
        else:
            return redirect("own_recording", analysis.recording_id)
    context = {
        "purpose": state.purpose,
        "categories": measured_labels(state),
        "idempotency_key": new_idempotency_key(),
        "form": form,
        "part_bytes": settings.UPLOAD_PART_BYTES,
        "kept_hours": settings.UPLOAD_SECONDS // 3600,
        "words": upload_words(kind),
    }
    return render(request, "emotion/upload.html", context, status=status)


def why_closed(found: Recording, subject: DataSubject) -> str:
    """Why nobody opens this recording any more, in a sentence; nothing when it is open."""
    if is_closed(found, closed_since(subject)):
        return _("Your consent has ended. Nobody can open this any more, and it is being erased.")
    if found.disputed_at is not None:
        return _("You said that this is not you. Nobody can open it or measure it.")
    return ""


@require_permission("emotion.view_own_recordings")
@require_GET
def recording(request: HttpRequest, recording_id: UUID) -> HttpResponse:
    """One recording: how far its analysis is."""
    found = find_recording(actor_of(request), recording_id)
    analysis = found.analyses.order_by("-queued_at").first()
    erased = found.erased_at or (analysis and analysis.state == AnalysisState.ERASED)
    dispute = found.disputes.order_by("-opened_at").first() if found.disputed_at else None
    subject = own_subject(request)
    ended = "" if erased else why_closed(found, subject)
    given_up = recording_standing(found.id, media=True) is ReasonCode.BEING_ERASED
    results = [] if ended else [each for _letter, each in with_result(found)]
    context = {
        "recording": found,
        "photograph_closed": bool(ended) or given_up,
        "hold": "" if erased else hold_words(hold_over(subject.id, found.purpose_id)),
        "analysis": analysis,
        "media_words": media_code_words(analysis.media_code) if analysis else "",
        "length": length_words(found.seconds) if found.seconds else "",
        "reason_words": REASONS.get(analysis.reason, "") if analysis else "",
        "ended": ended,
        "dispute": dispute,
        "dispute_erasure": erasure_of(found) if dispute else None,
        "dispute_erased_by": dispute.opened_at + ERASED_AFTER if dispute else None,
        "state_url": reverse("own_recording", args=[found.id]),
        "result_url": reverse("own_result", args=[analysis.id]) if analysis else "",
        "comparable": 0 if ended else len(comparable(found)),
        "earlier": [each for each in results if each != analysis],
        "back_url": reverse("subject_home"),
        "back_label": _("My studies"),
    }
    page = "recording_update" if request.headers.get("HX-Request") else "recording"
    return render(request, f"emotion/{page}.html", context)


@require_permission("emotion.read_own_result")
@require_GET
def result(request: HttpRequest, analysis_id: UUID) -> HttpResponse:
    """What my face showed: in words first, then in numbers, with what could not be told."""
    opened = read_result(actor_of(request), analysis_id, series=MEASURED_IN)
    recording = opened.analysis.recording
    context = result_words(opened) | film_beside(recording, own=True)
    context |= {
        "recording": recording,
        "own": True,
        "entry_id": opened.entry_id,
        "back_url": reverse("own_recording", args=[recording.id]),
        "back_label": _("Recording"),
        "again_url": reverse("upload", args=[recording.purpose_id]),
        "withdraw_url": reverse("consent_withdraw", args=[recording.purpose_id]),
    }
    return render(request, result_page(opened), context)
