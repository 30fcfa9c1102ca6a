"""Uploads that go on where they broke off: begun, and looked up.

What comes is sealed part by part under a key of this upload (``emotion.arriving``), because one sealed
stream cannot be taken up by another process without using a nonce twice. With the last byte the parts
become the recording (``emotion.assembling``); what is not finished in time goes (``emotion.given_up``).
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.actors import Actor
from audit_log.actions import Action
from audit_log.log import append
from consent.enforcement import ConsentPermit
from consent.errors import IdempotencyInProgress, IdempotencyMismatch
from consent.models import DataSubject, Purpose
from consent.records import lock_state
from emotion.arriving import CHUNK, Read, next_bytes
from emotion.disputes import require_undisputed
from emotion.errors import (
    NotFound,
    TooManyUploads,
    UploadInvalid,
    UploadStored,
)
from emotion.given_up import give_up
from emotion.limits import SOON, admit, forget, require_room
from emotion.models import PartialUpload, Recording, Upload, UploadPart, UploadState
from emotion.probing import largest
from emotion.reservations import forget_upload, key_index, reserve, upload_owner
from emotion.sealed_media import media_unit, part_path, part_row
from emotion.sending import Sending
from emotion.storing import known_markers, require_size
from vault.keyring import create_data_key
from vault.store import seal_blob


@dataclass(frozen=True)
class Standing:
    """How far an upload has come; ``recording`` once all of it is there, ``expires_at`` until then."""

    upload_id: UUID
    offset: int
    length: int
    expires_at: datetime | None = None
    recording: Recording | None = None


def find_upload(actor: Actor, upload_id: UUID) -> Upload:
    """An upload of this very sender; raises NotFound for everybody else's."""
    shown = [UploadState.PARTIAL, UploadState.STORED]
    rows = Upload.objects.filter(pk=upload_id, actor=upload_owner(actor), state__in=shown)
    found = rows.select_related("partial").first()
    if found is None:
        raise NotFound(_("There is no such upload."))
    return found


def standing(upload: Upload) -> Standing:
    """How far it has come; raises NotFound when what it became is gone."""
    if upload.state == UploadState.STORED:
        recording = Recording.objects.filter(pk=upload.recording_id, erased_at=None).first()
        if recording is None:
            raise NotFound(_("There is no such upload."))
        return Standing(upload.id, recording.size, recording.size, recording=recording)
    partial = upload.partial
    return Standing(upload.id, partial.offset, partial.length, partial.expires_at)


def begin(
    actor: Actor,
    subject: DataSubject,
    purpose_id: UUID,
    *,
    length: int,
    idempotency_key: str,
    markers: str = "",
    whole: Read | None = None,
) -> Standing:
    """Begin an upload of ``length`` bytes, behind the gate; the same key again finds the same upload.

    ``whole`` gives the bytes where the request brings all of them: of an upload that is finished they are
    compared, of any other they are not read here. Raises UploadInvalid, UploadTooLarge, TooManyUploads,
    IdempotencyMismatch, IdempotencyInProgress or ConsentRefused, and nothing is left behind.
    """
    known, index = known_markers(markers), key_index(actor, purpose_id, idempotency_key)
    upload, again = reserve_or_find(actor, index)
    sending = Sending(actor, subject, purpose_id, upload.recording_id)
    if again:
        sending.ask(Action.UPLOAD_BEGIN)
        return found_again(sending, upload, length, known, whole)
    try:
        add(sending, upload, length, known)
    except BaseException:
        forget_upload(upload)
        raise
    return standing(find_upload(actor, upload.id))


def reserve_or_find(actor: Actor, index: bytes) -> tuple[Upload, bool]:
    """The row of an idempotency key, and whether it had been there."""
    try:
        return reserve(actor, index)
    except IdempotencyInProgress:
        rows = Upload.objects.filter(actor=upload_owner(actor), key_index=index)
        known = rows.filter(state=UploadState.PARTIAL).select_related("partial").first()
        if known is None:
            raise
        return known, True


def found_again(
    sending: Sending, upload: Upload, length: int, markers: bytes, whole: Read | None
) -> Standing:
    """The upload that was begun with the same key; raises IdempotencyMismatch if it was another one."""
    found = standing(upload)
    said = sending.beginning(length, markers)
    same = hmac.compare_digest(bytes(upload.beginning or b""), said)
    if same and whole is not None and upload.state == UploadState.STORED:
        body = sending.fingerprint(markers)
        while chunk := next_bytes(whole, CHUNK):
            body.update(chunk)
        same = hmac.compare_digest(bytes(upload.fingerprint or b""), body.digest())
    if not same:
        raise IdempotencyMismatch(
            "This Idempotency-Key was used for another upload; use a new key for a new one."
        )
    return found


def add(sending: Sending, upload: Upload, length: int, markers: bytes) -> None:
    """Gate and limits of a new upload; then its rows. One that does not begin is not counted."""
    permit = sending.ask(Action.UPLOAD_BEGIN)
    require_size(length, largest(Purpose.objects.get(pk=sending.purpose_id).kind))
    require_room()
    require_few(sending.actor)
    admit(sending.actor, sending.subject.id, sending.purpose_id)
    try:
        place(sending, permit, upload, length, markers)
    except BaseException:
        forget(sending.actor)
        raise


def place(
    sending: Sending, permit: ConsentPermit, upload: Upload, length: int, markers: bytes
) -> None:
    """Key, rows and entry of a new upload."""
    unit = media_unit(sending.recording_id, sending.subject.id, sending.purpose_id)
    key_id = create_data_key(unit)
    Upload.objects.filter(pk=upload.pk).update(parts_key_id=key_id)
    now = timezone.now()
    partial = PartialUpload(
        upload=upload,
        subject=sending.subject,
        purpose_id=sending.purpose_id,
        length=length,
        created_at=now,
        expires_at=now + timedelta(seconds=settings.UPLOAD_SECONDS),
    )
    parts = []
    if markers:
        part = UploadPart(upload=partial, number=UploadPart.MARKERS, size=len(markers))
        path = part_path(key_id, part.id)
        with seal_blob(permit, key_id, unit, part_row(part.id, part.number), path) as blob:
            blob.write(markers)
            blob.commit()
        parts.append(part)
    with sending.refusals_noted(Action.UPLOAD_BEGIN), transaction.atomic():
        lock_state(sending.subject.id, sending.purpose_id)
        permit.recheck()
        require_undisputed(sending.actor, sending.subject.id, sending.purpose_id)
        partial.save(force_insert=True)
        UploadPart.objects.bulk_create(parts)
        begun = Upload.objects.filter(pk=upload.pk, state=UploadState.RECEIVING).update(
            state=UploadState.PARTIAL, beginning=sending.beginning(length, markers)
        )
        if not begun:
            raise UploadInvalid(_("The upload took too long and was given up; send it again."))
        append(sending.entry(permit))


def require_few(actor: Actor) -> None:
    """Raise TooManyUploads for a sender who has begun many and finished none."""
    unfinished = Upload.objects.filter(actor=upload_owner(actor), state=UploadState.PARTIAL)
    if unfinished.count() >= settings.UPLOADS_UNFINISHED:
        raise TooManyUploads(
            _("At most %(most)s uploads may be unfinished at once; finish or end one first.")
            % {"most": settings.UPLOADS_UNFINISHED},
            SOON,
        )


def end_upload(actor: Actor, upload_id: UUID) -> None:
    """Its sender ends an upload that is not finished. Raises NotFound or UploadStored."""
    upload = find_upload(actor, upload_id)
    if upload.state == UploadState.STORED or not give_up(upload, actor, None):
        raise UploadStored(_("The upload is finished; it is a recording now."))
