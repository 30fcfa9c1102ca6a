"""The bytes of one request to a resumable upload: sealed part by part, each durable before the next.

One request at a time may send. Who holds the upload says so on its row every second; a holder who was not
heard for a few seconds (its process was killed, its line is dead) may be displaced, and finds at its next
step that its bytes are not taken any more. So two requests never mix.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Protocol, cast
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from uuid_utils.compat import uuid7

from audit_log.actions import Action
from audit_log.log import append
from consent.enforcement import ConsentPermit
from consent.records import lock_state
from emotion.disputes import require_undisputed
from emotion.errors import ChecksumMismatch, NotFound, UploadHeld, UploadInvalid
from emotion.models import Upload, UploadPart, UploadState
from emotion.probing import MediaProbe
from emotion.sealed_media import media_unit, part_path, part_row
from emotion.sending import Sending
from vault.store import seal_blob

CHUNK = 64 * 1024
SILENT_AT_MOST = timedelta(seconds=5)
"""How long a holder may be silent before another request may take the upload from it."""
BEAT = 1.0
OLDEST = 60.0
"""Seconds after which a part is ended although it is not full: a slow sender loses no more by a crash."""
MOST_PARTS = 5000

HELD = "Another request is sending to this upload; wait, and ask how far it is."

Read = Callable[[int], bytes]
"""Gives at most so many of the next bytes; nothing when no more will come."""


class Checksum(Protocol):
    """What the bytes of a request are compared with."""

    def update(self, chunk: bytes, /) -> None:
        """The next bytes."""

    def matches(self) -> bool:
        """Whether all that came is what was announced."""


@contextmanager
def held(upload: Upload) -> Iterator[UUID]:
    """Hold an upload for one request; raises UploadHeld while another request does."""
    holder, now = uuid7(), timezone.now()
    rows = Upload.objects.filter(pk=upload.pk, state=UploadState.PARTIAL)
    free = Q(holder=None) | Q(heard_at__lt=now - SILENT_AT_MOST)
    if not rows.filter(free).update(holder=holder, heard_at=now):
        if not rows.exists():
            raise NotFound(_("There is no such upload."))
        raise UploadHeld(HELD)
    try:
        yield holder
    finally:
        with suppress(DatabaseError):  # it is silent then, and may be displaced
            rows.filter(holder=holder).update(holder=None)


class OpenPart:
    """A sealed file that is being written; the gate is asked with its key."""

    def __init__(self, request: Arriving, number: int) -> None:
        self.row = UploadPart(upload=request.partial, number=number, size=0)
        self.begun = time.monotonic()
        path, place = part_path(request.key_id, self.row.id), part_row(self.row.id, number)
        self.blob = seal_blob(request.permit, request.key_id, request.unit, place, path)

    @property
    def full(self) -> bool:
        """Whether the next bytes belong into another one."""
        old = time.monotonic() - self.begun > OLDEST
        return old or self.blob.size >= settings.UPLOAD_PART_BYTES

    def close(self) -> UploadPart:
        """Make the file durable; the row that has yet to be saved."""
        self.blob.commit()
        self.row.size = self.blob.size
        return self.row


class Arriving:
    """What one request sends: ``receive``, and always ``drop`` at the end.

    With a checksum nothing is durable before all of it was compared. The end of an upload is durable only
    with its recording: so one whose offset is its length was stored, and needs nobody to finish it.

    Fields:
        offset: of what has been taken; waiting: sealed parts that no row names yet.
    """

    def __init__(
        self, sending: Sending, permit: ConsentPermit, upload: Upload, holder: UUID, probed: bool
    ) -> None:
        self.sending, self.permit, self.upload, self.holder = sending, permit, upload, holder
        self.partial = partial = upload.partial
        self.key_id = cast(UUID, upload.parts_key_id)  # of every partial one: a constraint
        self.unit = media_unit(sending.recording_id, sending.subject.id, sending.purpose_id)
        self.offset = partial.offset
        last = partial.parts.order_by("-number").values_list("number", flat=True).first()
        self.number = last or 0
        self.waiting: list[UploadPart] = []
        self.part: OpenPart | None = None
        self.noted = False
        self.heard = time.monotonic()
        kind = partial.purpose.kind
        # From the first byte or not at all: what comes in several requests is probed when it is whole.
        self.probe = MediaProbe(kind) if probed and self.offset == 0 else None

    @property
    def complete(self) -> bool:
        """Whether nothing is missing any more."""
        return self.offset == self.partial.length

    def receive(self, read: Read, expected: int, checksum: Checksum | None) -> None:
        """Take up to ``expected`` bytes; a line that breaks leaves what came, without a checksum.

        Raises ChecksumMismatch, MediaRefused, UploadHeld, ConsentRefused or StorageFull.
        """
        got = 0
        while got < expected and (chunk := next_bytes(read, min(CHUNK, expected - got))):
            got += len(chunk)
            if checksum is not None:
                checksum.update(chunk)
            self.write(chunk)
            if checksum is None and not self.complete:
                self.keep()
        self.end_part()
        if checksum is not None:
            if got < expected:
                raise UploadInvalid("The body is shorter than its Content-Length says.")
            if not checksum.matches():
                raise ChecksumMismatch(
                    "The bytes are not those of Upload-Checksum; send them again."
                )
        if not self.complete:
            self.keep()

    def write(self, chunk: bytes) -> None:
        """Seal the next bytes, and show them to the probe."""
        if self.probe is not None:
            self.probe.feed(chunk)
        if self.part is None:
            self.number += 1
            if self.number > MOST_PARTS:
                raise UploadInvalid(
                    f"An upload may have at most {MOST_PARTS} parts; send larger ones."
                )
            self.part = OpenPart(self, self.number)
        self.part.blob.write(chunk)
        self.offset += len(chunk)
        if self.part.full:
            self.end_part()
        self.beat_if_due()

    def end_part(self) -> None:
        """Make the sealed file durable; a row has yet to name it."""
        if self.part is not None:
            self.waiting.append(self.part.close())
            self.part = None

    def beat(self) -> None:
        """Say that more is coming. Raises UploadHeld for who was displaced, NotFound when it is over."""
        self.heard = time.monotonic()
        if not self.rows().update(heard_at=timezone.now()):
            raise UploadHeld(HELD)

    def beat_if_due(self) -> None:
        """The same, once a second."""
        if time.monotonic() - self.heard > BEAT:
            self.beat()

    def rows(self) -> QuerySet[Upload]:
        """The upload's row, as long as this request holds it."""
        return Upload.objects.filter(
            pk=self.upload.pk, state=UploadState.PARTIAL, holder=self.holder
        )

    def keep(self) -> None:
        """Name the sealed files that wait, behind the gate; the first ones of a request with an entry.

        Where the database failed they may be named already, so they stay until the upload ends.
        """
        if not self.waiting:
            return
        named = self.waiting
        self.waiting = []
        try:
            self.name(named)
        except DatabaseError:
            raise
        except BaseException:
            self.waiting = named
            raise
        self.noted = True

    def name(self, parts: list[UploadPart]) -> None:
        """File these parts, in one transaction with the gate's answer."""
        sending = self.sending
        with sending.refusals_noted(Action.UPLOAD_PART), transaction.atomic():
            lock_state(sending.subject.id, sending.purpose_id)
            sending.require_live()
            self.permit.recheck()
            require_undisputed(sending.actor, sending.subject.id, sending.purpose_id)
            self.beat()
            UploadPart.objects.bulk_create(parts)
            if not self.noted:
                append(sending.entry(self.permit))

    def drop(self) -> None:
        """Throw away what is not durable; nothing of it was counted."""
        if self.probe is not None:
            self.probe.close()
        with suppress(OSError):
            if self.part is not None:
                self.part.blob.abort()
            for part in self.waiting:
                part_path(self.key_id, part.id).unlink(missing_ok=True)
        self.waiting, self.part = [], None


def next_bytes(read: Read, most: int) -> bytes:
    """The next bytes; none from a line that broke."""
    try:
        return read(most)
    except OSError:
        return b""
