"""How much may come in: checked where uploads begin, so that every way in meets the same limits.

A way in that reads a long body calls ``require_room`` before the first byte. ``Receiving`` calls
``admit`` once the upload's row is reserved, before the file is taken.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.actors import Actor
from accounts.counting import count, take_back
from accounts.limits import analyses_limit
from emotion.errors import QueueFull, TooManyUploads
from emotion.models import Analysis, AnalysisState, Recording, Upload, UploadState
from emotion.reservations import upload_owner

HOUR = timedelta(hours=1)
SOON = 5
"""Seconds after which one of the uploads that are under way may have ended."""
QUIET = timedelta(minutes=2)
"""Who was heard that recently counts as sending; a sender says once a minute that it is still there."""


def require_room() -> None:
    """Raise QueueFull when more analyses wait than ``QUEUE_AT_MOST``; counts no further than that."""
    waiting = Analysis.objects.filter(state=AnalysisState.QUEUED)
    if waiting[: settings.QUEUE_AT_MOST + 1].count() > settings.QUEUE_AT_MOST:
        raise QueueFull(_("Too many recordings wait to be analysed. Try again in a minute."))


def admit(actor: Actor, subject_id: UUID, purpose_id: UUID) -> None:
    """Let one new upload begin, whose row is reserved; counts it under the client's analyses of the day.

    Raises TooManyUploads; then nothing was counted.
    """
    require_few_at_once(actor)
    require_few_of_one(subject_id, purpose_id)
    if actor.kind == "client":
        counted = count(analyses_limit(), str(actor.id))
        if not counted.within:
            take_back(counted.limit, str(actor.id))
            raise TooManyUploads(
                _("This API client has begun all the analyses that it may begin in a day."),
                counted.reset,
            )


def forget(actor: Actor) -> None:
    """An upload that was let in did not become a recording."""
    if actor.kind == "client":
        take_back(analyses_limit(), str(actor.id))


def require_few_at_once(actor: Actor) -> None:
    """Raise TooManyUploads while a client sends more than ``CLIENT_UPLOADS_AT_ONCE`` files.

    The row of the upload that asks is among those counted, so of many at once none slips past.
    """
    if actor.kind != "client":
        return
    sending = Upload.objects.filter(
        actor=upload_owner(actor),
        state=UploadState.RECEIVING,
        heard_at__gt=timezone.now() - QUIET,
    )
    if sending.count() > settings.CLIENT_UPLOADS_AT_ONCE:
        raise TooManyUploads(
            _("This API client sends as many files as it may at once; wait for one to end."), SOON
        )


def require_few_of_one(subject_id: UUID, purpose_id: UUID) -> None:
    """Raise TooManyUploads when a person has had ``SUBJECT_UPLOADS_PER_HOUR`` within an hour.

    Asked again in the transaction that makes the recording, where the consent is locked: there the count
    is exact.
    """
    recent = Recording.objects.filter(
        subject_id=subject_id, purpose_id=purpose_id, created_at__gt=timezone.now() - HOUR
    )
    most = settings.SUBJECT_UPLOADS_PER_HOUR
    times = recent.order_by("-created_at").values_list("created_at", flat=True)
    kept = list(times[most - 1 : most])
    if kept:
        again = int((kept[0] + HOUR - timezone.now()).total_seconds()) + 1
        raise TooManyUploads(
            _("There were %(most)s uploads for this person within an hour; wait.") % {"most": most},
            max(1, again),
        )
