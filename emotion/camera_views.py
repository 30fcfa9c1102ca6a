"""The pages of the person's own camera: what it records is shown first, then one page may open it."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from accounts.actors import actor_of
from accounts.permissions import require_permission
from consent.models import ConsentStatus, MediaKind
from emotion.camera import FILLED, FILM_BITS, allow_camera, longest_film
from emotion.inference.quality import BRIGHT_PERCENTILE, BURNT_OUT, THRESHOLDS
from emotion.probing import largest
from emotion.upload_words import camera_words, upload_words
from emotion.views import measured_labels, own_state

SHOWN = "camera_shown"
"""In the session: for which purpose, and when, the person was shown what the camera records."""
OPEN_FOR = timedelta(minutes=30)
CAMERA_OPEN = "camera=(self), microphone=(), geolocation=(), display-capture=()"


def was_shown(request: HttpRequest, purpose_id: UUID) -> bool:
    """Whether this session was shown lately what the camera records for this purpose."""
    purpose, at = request.session.get(SHOWN, ("", ""))
    return bool(
        purpose == str(purpose_id) and timezone.now() - datetime.fromisoformat(at) < OPEN_FOR
    )


@require_permission("emotion.upload_own_recording")
@require_http_methods(["GET", "POST"])
def camera(request: HttpRequest, purpose_id: UUID) -> HttpResponse:
    """Show what the camera will record; POST asks for it."""
    state = own_state(request, purpose_id)
    if request.method == "POST":
        allow_camera(actor_of(request), state)
        request.session[SHOWN] = (str(purpose_id), timezone.now().isoformat())
        return redirect("camera_open", purpose_id)
    if state.status != ConsentStatus.GIVEN:
        return redirect("subject_home")
    purpose = state.purpose
    context = {
        "purpose": purpose,
        "categories": measured_labels(state),
        "words": camera_words(purpose.kind),
        "upload_url": reverse("upload", args=[purpose_id]),
        "minutes": longest_film() // 60 if purpose.kind.takes_films else 0,
    }
    return render(request, "emotion/camera.html", context)


@require_permission("emotion.upload_own_recording")
@require_GET
def camera_open(request: HttpRequest, purpose_id: UUID) -> HttpResponse:
    """The one page that may open the camera: look, record, look again, send."""
    state = own_state(request, purpose_id)
    if state.status != ConsentStatus.GIVEN or not was_shown(request, purpose_id):
        return redirect("camera", purpose_id)
    kind: MediaKind = state.purpose.kind
    context = {
        "purpose": state.purpose,
        "takes_photographs": kind.takes_photographs,
        "takes_films": kind.takes_films,
        "words": camera_words(kind) | {"send": upload_words(kind)["send"]},
        "upload_url": reverse("upload", args=[purpose_id]),
        "part_bytes": settings.UPLOAD_PART_BYTES,
        "most_seconds": longest_film(),
        "film_bits": FILM_BITS,
        "most_bytes": int(FILLED * largest(kind)),
        "bright_percentile": BRIGHT_PERCENTILE,
        "darkest": THRESHOLDS["light"].least,
        "burnt_out": BURNT_OUT,
        "burnt_share": THRESHOLDS["burnt_out"].most,
    }
    response = render(request, "emotion/camera_open.html", context)
    response["Permissions-Policy"] = CAMERA_OPEN
    return response
