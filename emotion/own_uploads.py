"""The person's own uploads that go on where they broke off: the tus protocol, behind their session.

The pages' scripts speak it (``static/js/resumable.js``). The token of the form comes as a header, so
Django's own check needs nothing of the body.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.actors import actor_of
from accounts.permissions import require_permission
from consent.request_keys import is_key
from emotion import tus
from emotion.errors import UploadInvalid
from emotion.inference.media import MediaRefused
from emotion.media_words import refusal_words
from emotion.resumable import Standing, begin, end_upload, find_upload, standing
from emotion.views import own_state

View = Callable[..., HttpResponseBase]


def speaks_tus(view: View) -> View:
    """Ask for the protocol's version, and refuse media in the reader's language."""

    @wraps(view)
    def speaking(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        tus.require_version(request.headers)
        try:
            return tus.spoken(view(request, *args, **kwargs))
        except MediaRefused as refused:
            raise MediaRefused(refused.code, refusal_words(refused)) from None

    return speaking


def told(status: int, found: Standing) -> HttpResponse:
    """An answer about an upload, with its recording's page when there is one."""
    headers = tus.state(found)
    if found.recording is not None:
        headers["Recording-Location"] = reverse("own_recording", args=[found.recording.id])
    return HttpResponse(status=status, headers=headers)


@require_permission("emotion.upload_own_recording")
@require_http_methods(["POST"])
@speaks_tus
def own_uploads(request: HttpRequest, purpose_id: UUID) -> HttpResponse:
    """Begin an upload of a photograph or film of oneself."""
    state = own_state(request, purpose_id)
    key = request.headers.get("Idempotency-Key", "")
    if not is_key(key):
        raise UploadInvalid(_("The form was incomplete; please load it again."))
    length = tus.length_of(request.headers)
    found = begin(actor_of(request), state.subject, purpose_id, length=length, idempotency_key=key)
    answer = told(201, found)
    answer["Location"] = reverse("own_upload", args=[found.upload_id])
    return answer


@require_permission("emotion.upload_own_recording")
@require_http_methods(["HEAD", "PATCH", "DELETE"])
@speaks_tus
def own_upload(request: HttpRequest, own_upload_id: UUID) -> HttpResponse:
    """How far it is, its next bytes, or its end."""
    actor = actor_of(request)
    if request.method == "PATCH":
        offset = tus.whole(request.headers, "Upload-Offset")
        return told(204, tus.receive(request, actor, own_upload_id, offset=offset))
    if request.method == "DELETE":
        end_upload(actor, own_upload_id)
        return HttpResponse(status=204)
    found = standing(find_upload(actor, own_upload_id))
    answer = told(200, found)
    answer["Upload-Length"] = str(found.length)
    return answer
