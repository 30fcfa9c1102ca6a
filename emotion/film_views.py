"""Sending a film that is kept to whoever looks at its result: one's own, or for a stated reason."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, StreamingHttpResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from accounts.actors import actor_of
from accounts.permissions import require_permission
from emotion.kept_films import OpenFilm, open_kept_film
from emotion.models import Recording


def film_beside(recording: Recording, *, own: bool, reason: str = "") -> dict[str, Any]:
    """What the page of a result needs to show the film beside it; nothing where none is kept.

    reason: what an operator stated to open the result; the film is opened for the same.
    """
    if not (recording.is_film and recording.is_kept):
        return {}
    name = "own_film" if own else "operate_film"
    return {"film_url": reverse(name, args=[recording.id]), "film_reason": reason}


def sent(opened: OpenFilm) -> StreamingHttpResponse:
    """The film as the answer, with the entry that allowed it."""
    headers = {
        "Content-Disposition": 'inline; filename="film.mp4"',
        "Content-Length": str(opened.recording.size),
        "Log-Entry": str(opened.entry_id),
    }
    return StreamingHttpResponse(
        opened.pieces, content_type=opened.recording.media_type, headers=headers
    )


@require_permission("emotion.view_own_recordings")
@require_POST
@never_cache
def own_film(request: HttpRequest, film_id: UUID) -> StreamingHttpResponse:
    """One's own film, while it is kept."""
    return sent(open_kept_film(actor_of(request), film_id))


@require_permission("emotion.read_media")
@require_POST
@never_cache
def film(request: HttpRequest, film_id: UUID) -> StreamingHttpResponse:
    """A film, for the reason that was stated."""
    stated = request.POST.get("reason", "")
    return sent(open_kept_film(actor_of(request), film_id, stated))
