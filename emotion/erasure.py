"""Draining erasures: blobs and rows follow the destroyed keys. Every step may be killed and repeated."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from consent.erasure import (
    REASONS,
    destroy_keys,
    remove_contact,
    request_erasure,
    rows_removed,
)
from consent.models import DataCategory, ErasureCause, ErasureRequest
from consent.row_by_row import do_each, for_a_turn
from emotion.given_up import end_of_person
from emotion.models import Analysis, AnalysisState, MediaState, Recording, Result, Upload
from emotion.sealed_media import remove_all_media, remove_media
from vault.tags import tagger

WITH_MEDIA = {"", DataCategory.MEDIA}
"""What an erasure that takes media along says of its category."""


def erase_recording(
    recording: Recording,
    cause: ErasureCause,
    actor_name: str,
    *,
    category: str = "",
    only_key: UUID | None = None,
) -> ErasureRequest:
    """Inside a transaction: file the erasure of a recording, or of a part (see ``request_erasure``)."""
    return request_erasure(
        subject_id=recording.subject_id,
        purpose_id=recording.purpose_id,
        cause=cause,
        actor_name=actor_name,
        reason=REASONS[cause],
        tags=tagger(recording.subject_id, recording.purpose_id),
        recording_id=recording.id,
        category=category,
        only_key=only_key,
    )


def give_up_media(recording: Recording, actor_name: str) -> ErasureRequest:
    """Inside a transaction: file the erasure of media from which nothing is to be measured any more."""
    return erase_recording(
        recording, ErasureCause.NOT_KEPT, actor_name, category=DataCategory.MEDIA
    )


def give_up_original(recording: Recording, actor_name: str) -> ErasureRequest:
    """Inside a transaction: file the erasure of a photograph as it came, which a covered one replaces."""
    return erase_recording(
        recording,
        ErasureCause.COVERED,
        actor_name,
        category=DataCategory.MEDIA,
        only_key=recording.media_key_id,
    )


def drain_one(request: ErasureRequest) -> None:
    """Bring one erasure as far as it goes now: keys, blobs, rows, entry; under a legal hold, nowhere."""
    if not destroy_keys(request) or request.rows_removed_at is not None:
        return
    if request.only_key is not None:
        remove_media(request.only_key)
        rows_removed(request)
        return
    remove_contact(request)
    if request.purpose_id and not request.recording_id and request.category in WITH_MEDIA:
        end_of_person(request.subject_id, request.purpose_id)
    recordings = Recording.objects.filter(subject_id=request.subject_id, purpose=request.purpose)
    if request.recording_id is not None:
        recordings = recordings.filter(pk=request.recording_id)
    for recording in recordings:
        if request.category in WITH_MEDIA:
            remove_all_media(recording)
        remove_rows(recording, request.category)
    rows_removed(request)


def remove_rows(recording: Recording, category: str) -> None:
    """Remove the sealed rows of a recording, or of one category of it; the bare row stays as erased."""
    with transaction.atomic():
        results = Result.objects.filter(analysis__recording=recording)
        if category:
            results = results.filter(category=category)
            forget_category(recording, category)
        results.delete()
        if category in WITH_MEDIA:
            Recording.objects.filter(pk=recording.pk).update(
                media_state=MediaState.ERASED, sealed_markers=None
            )
        if not category:
            Upload.objects.filter(recording_id=recording.id).update(
                beginning=None, fingerprint=None
            )
            Analysis.objects.filter(recording=recording).update(
                state=AnalysisState.ERASED, lease_until=None, finished_at=timezone.now()
            )
            Recording.objects.filter(pk=recording.pk, erased_at=None).update(
                erased_at=timezone.now()
            )


def forget_category(recording: Recording, category: str) -> None:
    """Take a category off the lists of what analyses measured: there is nothing of it any more."""
    for analysis in recording.analyses.all():
        if category in analysis.categories:
            left = [each for each in analysis.categories if each != category]
            Analysis.objects.filter(pk=analysis.pk).update(categories=left)


def drain() -> int:
    """Take up every erasure that is not done and not held, as many as one turn has time for; how many.

    Keeper only.
    """
    waiting = ErasureRequest.objects.waiting().order_by("requested_at")
    return do_each(for_a_turn(list(waiting)), drain_one)
