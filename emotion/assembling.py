"""The end of a resumable upload: its parts are opened in order and become one recording.

That is a read, so it has its entry first; then the walk of every upload: one sealed blob under a key of its
own, probed, the gate asked again, one transaction. The key of the parts dies afterwards.
"""

from __future__ import annotations

from functools import partial

from django.db import DatabaseError
from django.db.models import QuerySet

from audit_log.actions import Action
from audit_log.log import append_durable
from emotion.arriving import HELD, Arriving
from emotion.errors import UploadHeld
from emotion.models import Analysis, Upload, UploadPart
from emotion.reservations import clear_parts
from emotion.sealed_media import part_path, part_row, remove_media
from emotion.storing import Storing
from vault.errors import Tampered
from vault.keyring import destroy_data_keys
from vault.parts import SealedFile, open_files

CHUNK = 16 * 1024  # what a sealed file gives at once


class Assembling(Storing):
    """An upload whose bytes are all here, sealed in parts."""

    def __init__(self, request: Arriving, markers: bytes) -> None:
        self.request = request
        super().__init__(request.sending, request.upload, markers)
        self.forget_attempt()
        self.open_blob()

    def rows(self) -> QuerySet[Upload]:
        """The upload's row, as long as this request holds it."""
        return self.request.rows()

    def over(self) -> Exception:
        """Another request has taken the upload over."""
        return UploadHeld(HELD)

    def forget_attempt(self) -> None:
        """Remove what a process that was killed while it put parts together has left.

        Who was displaced must not: the key that stands there then may be that of the finished recording.
        """
        row = self.rows().first()
        if row is None:
            raise self.over()
        if row.media_key_id is not None:
            remove_media(row.media_key_id)
            destroy_data_keys([row.media_key_id])

    def write(self, chunk: bytes) -> None:
        """The next bytes; now and then it is said that the upload is still held."""
        super().write(chunk)
        self.request.beat_if_due()

    def mark_stored(self) -> None:
        """With the recording the parts go."""
        super().mark_stored()
        self.request.partial.parts.all().delete()
        self.request.partial.delete()

    def undo(self) -> None:
        """Leave nothing of an attempt that came to nothing; the parts stay."""
        remove_media(self.key_id)
        destroy_data_keys([self.key_id])


def assemble(request: Arriving) -> Analysis:
    """Make the recording of all parts, those that no row names yet included.

    Raises MediaRefused, UploadInvalid or UploadTooLarge for what is no media that the study takes, and
    ConsentRefused; the parts are there as before.
    """
    sending = request.sending
    permit = sending.ask(Action.UPLOAD_ASSEMBLE)
    parts = [*request.partial.parts.order_by("number"), *request.waiting]
    receipt = append_durable(sending.entry(permit))
    opened = open_files(permit, receipt, [sealed_file(request, part) for part in parts])
    markers = next(opened).readall() if parts[0].number == UploadPart.MARKERS else b""
    storing = Assembling(request, markers)
    try:
        for blob in opened:
            for chunk in iter(partial(blob.read, CHUNK), b""):
                storing.write(chunk)
        if storing.size != request.partial.length:
            raise Tampered("the parts of an upload are not all that came")
        analysis = storing.store()
    except DatabaseError:
        # Whether it was committed is unknown: the upload's row says whose the key is, to who comes next.
        raise
    except BaseException:
        storing.undo()
        raise
    finally:
        storing.put_down()
    clear_parts(request.upload)
    return analysis


def sealed_file(request: Arriving, part: UploadPart) -> SealedFile:
    """A part as the vault opens it."""
    return SealedFile(
        data_key_id=request.key_id,
        unit=request.unit,
        row=part_row(part.id, part.number),
        path=part_path(request.key_id, part.id),
    )
