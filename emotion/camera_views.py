"""The person's own camera: what it will record is shown, and in the log, before a page may open it.

Every page forbids the camera by its Permissions-Policy (``config.middleware``). Only ``camera_open``
allows it, and answers only a session that was shown what is recorded here, within ``OPEN_FOR``: so the
browser itself keeps the camera shut until the entry is written.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from accounts.actors import Actor, actor_of
from accounts.permissions import require_permission
from audit_log.actions import Action, Outcome
from audit_log.entries import Draft
from audit_log.log import append, append_durable
from consent.enforcement import asker_of, require_consent
from consent.errors import ConsentRefused
from consent.models import (
    ConsentState,
    ConsentStatus,
    MediaKind,
)
from consent.records import acting_name, lock_state
from consent.rules import Operation
from emotion.inference.quality import BRIGHT_PERCENTILE, BURNT_OUT, THRESHOLDS
from emotion.probing import largest
from emotion.upload_words import camera_words, upload_words
from emotion.views import measured_labels, own_state
from vault.tags import tagger

SHOWN = "camera_shown"
"""In the session: for which purpose, and when, the person was shown what the camera records."""
OPEN_FOR = timedelta(minutes=30)
FILM_BITS = 2_500_000
"""Per second, of a film that the browser makes: 720p of a face that hardly moves, without visible loss."""
CAMERA_OPEN = "camera=(self), microphone=(), geolocation=(), display-capture=()"


def write_shown(actor: Actor, state: ConsentState) -> None:
    """Write down that the person was shown what is recorded and asks for the camera.

    Raises ConsentRefused, with an entry, when nothing may be recorded.
    """
    tags = tagger(state.subject_id, state.purpose_id)

    def draft(**changes: Any) -> Draft:
        return Draft(
            action=Action.CAMERA_ALLOW,
            actor=acting_name(actor, tags),
            purpose_id=state.purpose_id,
            subject_tag=tags.subject(),
            **changes,
        )

    try:
        with transaction.atomic():
            lock_state(state.subject_id, state.purpose_id)
            permit = require_consent(
                subject_id=state.subject_id,
                purpose_id=state.purpose_id,
                operation=Operation.UPLOAD,
                asker=asker_of(actor),
                action=Action.CAMERA_ALLOW,
                object_kind="purpose",
                object_id=state.purpose_id,
            )
            append(draft(policy_version=permit.policy_version))
    except ConsentRefused as refusal:
        append_durable(draft(outcome=Outcome.REFUSED, reason=refusal.reason))
        raise


def longest_film() -> int:
    """How many seconds a film from the camera may last: as long as films may, and as large."""
    return int(min(settings.FILM_MAX_SECONDS, 0.95 * 8 * settings.FILM_MAX_BYTES / FILM_BITS))


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
        write_shown(actor_of(request), state)
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
        "most_seconds": longest_film(),
        "film_bits": FILM_BITS,
        "most_bytes": largest(kind),
        "bright_percentile": BRIGHT_PERCENTILE,
        "darkest": THRESHOLDS["light"].least,
        "burnt_out": BURNT_OUT,
        "burnt_share": THRESHOLDS["burnt_out"].most,
    }
    response = render(request, "emotion/camera_open.html", context)
    response["Permissions-Policy"] = CAMERA_OPEN
    return response
