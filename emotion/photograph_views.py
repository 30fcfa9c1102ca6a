"""Looking at a photograph: one's own, or for a stated reason that is in the log first."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from accounts.actors import actor_of
from accounts.permissions import require_permission
from accounts.training import valid_of
from consent.errors import ConsentError
from consent.forms import ReasonForm
from consent.operator_views import UNPROCESSABLE, refuse
from emotion.errors import Gone, NotReady
from emotion.photographs import OpenPhotograph, open_photograph
from emotion.results import STATED_REASONS, find_recording

GONE = 410
CONFLICT = 409


def show(request: HttpRequest, opened: OpenPhotograph, *, own: bool) -> HttpResponse:
    """The picture in the page itself, with the entry that allowed it."""
    back = "own_recording" if own else "operate_recording"
    context = {
        "recording": opened.recording,
        "picture": opened.data_uri(),
        "entry_id": opened.entry_id,
        "own": own,
        "back_url": reverse(back, args=[opened.recording.id]),
        "back_label": _("Recording"),
    }
    return render(request, "emotion/photograph.html", context)


@require_permission("emotion.view_own_recordings")
@require_GET
@never_cache
def own_photograph(request: HttpRequest, recording_id: UUID) -> HttpResponse:
    """One's own photograph, while it is kept."""
    return show(request, open_photograph(actor_of(request), recording_id), own=True)


@require_permission("emotion.read_media")
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def photograph(request: HttpRequest, recording_id: UUID) -> HttpResponse:
    """Ask for the reason; then show the photograph for this one answer."""
    actor = actor_of(request)
    recording = find_recording(actor, recording_id)
    form, status = ReasonForm(request.POST or None, reasons=STATED_REASONS), 200
    if request.method == "POST":
        status = UNPROCESSABLE
        if form.is_valid():
            try:
                return show(request, open_photograph(actor, recording_id, form.stated()), own=False)
            except ConsentError as error:
                status = refuse(form, error)
            except (Gone, NotReady) as error:
                form.add_error(None, str(error))
                status = GONE if isinstance(error, Gone) else CONFLICT
    context = {
        "recording": recording,
        "form": form,
        "trained": valid_of(actor.id).exists(),
        "is_photograph": True,
        "back_url": reverse("operate_recording", args=[recording.id]),
        "back_label": _("Recording"),
    }
    return render(request, "emotion/reason.html", context, status=status)
