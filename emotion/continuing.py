"""A request goes on with an upload: the gate, then its bytes, and with the last of them the recording."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.actors import Actor
from audit_log.actions import Action, ReasonCode
from emotion.arriving import Arriving, Checksum, Read, held
from emotion.assembling import assemble
from emotion.errors import OffsetMismatch, UploadExpired, UploadInvalid, UploadTooLarge
from emotion.given_up import give_up
from emotion.inference.media import MediaRefused
from emotion.models import UploadState
from emotion.resumable import Standing, find_upload, standing
from emotion.sending import Sending


def go_on(
    actor: Actor,
    upload_id: UUID,
    *,
    offset: int,
    expected: int,
    read: Read,
    checksum: Checksum | None = None,
) -> Standing:
    """Take the ``expected`` bytes of one request that begins at ``offset``; how far the upload is then.

    Nothing is read before the gate has been asked and the offset is right. Raises NotFound, UploadExpired,
    OffsetMismatch, UploadHeld, UploadTooLarge, ChecksumMismatch, StorageFull or ConsentRefused, after
    which what was durable stays; MediaRefused or UploadInvalid, after which the upload is over, for what
    the study does not take.
    """
    upload = find_upload(actor, upload_id)
    if upload.state == UploadState.STORED:
        found = standing(upload)
        require_place(found.offset, found.length, offset, expected)
        return found
    partial = upload.partial
    if partial.expires_at <= timezone.now():
        raise UploadExpired(_("The upload was not finished in time; begin a new one."))
    sending = Sending(actor, partial.subject, partial.purpose_id, upload.recording_id)
    permit = sending.ask(Action.UPLOAD_PART)
    with held(upload) as holder:
        request = Arriving(sending, permit, upload, holder, probed=checksum is None)
        try:
            require_place(request.offset, partial.length, offset, expected)
            take(request, expected, read, checksum)
        finally:
            request.drop()
    return standing(find_upload(actor, upload_id))


def require_place(reached: int, length: int, offset: int, expected: int) -> None:
    """Raise OffsetMismatch or UploadTooLarge unless these bytes are the next, and no more than missing."""
    if offset != reached:
        raise OffsetMismatch("Upload-Offset is not how far the upload is; ask by HEAD.")
    if reached + expected > length:
        raise UploadTooLarge("More bytes came than Upload-Length had announced.")


def take(request: Arriving, expected: int, read: Read, checksum: Checksum | None) -> None:
    """Receive, and put together when nothing is missing; what is not taken ends the upload."""
    with over_when(request, MediaRefused):
        request.receive(read, expected, checksum)
    if request.complete:
        with over_when(request, MediaRefused, UploadInvalid, UploadTooLarge):
            assemble(request)


@contextmanager
def over_when(request: Arriving, *refusals: type[Exception]) -> Iterator[None]:
    """Give the upload up when the block refuses what came: sent again, it would be refused again."""
    try:
        yield
    except refusals:
        give_up(request.upload, request.sending.actor, ReasonCode.MEDIA_UNREADABLE)
        raise
