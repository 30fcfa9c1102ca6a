"""Idempotency keys of uploads: reserving one, and clearing what an upload that never finished left.

The row is reserved before the first byte is taken, so whatever is begun can be found again: an upload that
breaks off is cleared at once, or by the keeper, and then the same key can be tried anew.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from uuid_utils.compat import uuid7

from accounts.actors import Actor
from consent.errors import IdempotencyInProgress
from consent.row_by_row import do_each
from emotion.models import Upload, UploadState
from emotion.sealed_media import remove_media
from vault.index import index
from vault.keyring import destroy_data_keys

SILENT_AT_MOST = timedelta(minutes=15)
HEARD_EVERY = timedelta(minutes=1)
"""How often a long upload says that it is still coming."""


def upload_owner(actor: Actor) -> str:
    """Whose idempotency keys these are; a row of this table, never an entry of the log."""
    return f"{actor.kind}:{actor.id}"


def key_index(actor: Actor, purpose_id: UUID, key: str) -> bytes:
    """The 32 bytes under which an idempotency key is filed.

    Clients make their keys from what they have at hand, a participant number or a file's name, so the
    key itself is never kept. The keyed hash is made in the keystore's room, one per purpose and owner.
    """
    return index(purpose_id, "idempotency-key", f"{upload_owner(actor)} {key}")


def reserve(actor: Actor, key: bytes) -> tuple[Upload, bool]:
    """Reserve an idempotency key by its index: (row, whether the key's upload was already stored).

    Raises IdempotencyInProgress while another request is receiving under the same key.
    """
    owner = upload_owner(actor)
    try:
        with transaction.atomic():
            return Upload.objects.create(actor=owner, key_index=key, heard_at=timezone.now()), False
    except IntegrityError:
        pass
    known = Upload.objects.filter(actor=owner, key_index=key).first()
    if known is None or known.state != UploadState.STORED:
        raise IdempotencyInProgress(_("An upload with this Idempotency-Key is still under way."))
    return known, True


def forget_upload(upload: Upload) -> None:
    """Clear what an unfinished upload left, so that the same idempotency key can be tried again.

    The state is claimed first: an upload that becomes a recording at this very moment wins or loses
    as a whole.
    """
    unfinished = [UploadState.RECEIVING, UploadState.ABANDONED]
    if not Upload.objects.filter(pk=upload.pk, state__in=unfinished).update(
        state=UploadState.ABANDONED
    ):
        return
    keys = Upload.objects.values_list("media_key_id", "parts_key_id").get(pk=upload.pk)
    for key_id in filter(None, keys):
        remove_media(key_id)
        destroy_data_keys([key_id])
    Upload.objects.filter(pk=upload.pk).delete()


def clear_parts(upload: Upload) -> None:
    """Remove the parts of an upload that became a recording, and destroy their key. Safe to repeat."""
    stored = Upload.objects.filter(pk=upload.pk, state=UploadState.STORED)
    key_id = stored.values_list("parts_key_id", flat=True).first()
    if key_id is not None:
        remove_media(key_id)
        destroy_data_keys([key_id])
        stored.update(parts_key_id=None)


def sweep_orphans() -> int:
    """Clear uploads whose sender has been silent for long, and parts nobody needs. Keeper only."""
    old = timezone.now() - SILENT_AT_MOST
    orphans = list(
        Upload.objects.filter(state=UploadState.RECEIVING, heard_at__lt=old)
        | Upload.objects.filter(state=UploadState.ABANDONED)
    )
    joined = Upload.objects.filter(state=UploadState.STORED).exclude(parts_key_id=None)
    steps = ((forget_upload, orphans), (clear_parts, list(joined)))
    return do_each(steps, lambda step: do_each(step[1], step[0]))


def still_coming(upload: Upload) -> None:
    """Note, once in a while, that more of an upload has come, so that it is not taken for an orphan."""
    now = timezone.now()
    if now - upload.heard_at >= HEARD_EVERY:
        upload.heard_at = now
        Upload.objects.filter(pk=upload.pk, state=UploadState.RECEIVING).update(heard_at=now)


def new_idempotency_key() -> str:
    """For uploads from a page, where a fresh one is drawn with each form."""
    return uuid7().hex
