"""Resumable uploads that come to nothing: ended by their sender, late, refused, or erased."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.actors import SYSTEM_KEEPER, Actor
from audit_log.actions import Action, ReasonCode
from audit_log.entries import Draft
from audit_log.log import append
from consent.records import acting_name
from consent.row_by_row import do_each
from emotion.models import PartialUpload, Upload, UploadState
from emotion.reservations import forget_upload
from vault.tags import tagger_if_alive


def give_up(upload: Upload, actor: Actor, reason: ReasonCode | None) -> bool:
    """End an unfinished upload with its entry, then destroy its key and files; False if it is finished.

    The row's state goes first: whoever is sending just now finds that nothing is taken any more.
    """
    partial = PartialUpload.objects.filter(pk=upload.pk).first()
    if partial is None:
        return False
    tags = tagger_if_alive(partial.subject_id, partial.purpose_id)
    with transaction.atomic():
        if not abandon(partial):
            return False
        append(
            Draft(
                action=Action.UPLOAD_END,
                actor=acting_name(actor, tags) if tags else actor.log_name(),
                reason=reason,
                purpose_id=partial.purpose_id,
                subject_tag=tags.subject() if tags else b"",
                object_tag=tags.object("recording", upload.recording_id) if tags else b"",
            )
        )
    forget_upload(upload)
    return True


def abandon(partial: PartialUpload) -> bool:
    """Inside a transaction: nothing more is taken for this upload, and its rows go; False if it is over."""
    rows = Upload.objects.filter(pk=partial.pk, state=UploadState.PARTIAL)
    if not rows.update(state=UploadState.ABANDONED, holder=None):
        return False
    partial.parts.all().delete()
    partial.delete()
    return True


def end_of_person(subject_id: UUID, purpose_id: UUID) -> None:
    """What an erasure of everything, or of all media, does to uploads on their way; safe to repeat."""
    rows = PartialUpload.objects.filter(subject_id=subject_id, purpose_id=purpose_id)
    for partial in rows.select_related("upload"):
        upload = partial.upload
        with transaction.atomic():
            over = abandon(partial)
        if over:
            forget_upload(upload)


def end_expired() -> int:
    """Give up the uploads that were not finished in time. Keeper only."""
    late = PartialUpload.objects.filter(expires_at__lte=timezone.now()).select_related("upload")
    return do_each(
        list(late[:200]),
        lambda partial: give_up(partial.upload, SYSTEM_KEEPER, ReasonCode.UPLOAD_UNFINISHED),
    )


def end_all_unfinished() -> int:
    """Give up every unfinished upload: after a restore, because no backup has the parts."""
    rows = PartialUpload.objects.select_related("upload")
    return sum(
        give_up(partial.upload, SYSTEM_KEEPER, ReasonCode.BACKUP_RESTORED) for partial in rows
    )
