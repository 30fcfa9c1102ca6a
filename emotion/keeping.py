"""What is kept of a photograph after its analysis: never as it came, only with all but the head covered.

The covered picture is sealed into a file of its own under a key of its own, before the transaction that
saves the results; in it the recording's row turns from the one key to the other. So whatever is killed
leaves either the photograph as it came, which waits and which nobody can look at, or the covered one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from django.db import DatabaseError
from django.utils import timezone

from consent.enforcement import ConsentPermit
from emotion.claims import Claim
from emotion.inference.arrays import Pixels
from emotion.inference.covering import CannotTell, only_the_person
from emotion.inference.media import encode_png
from emotion.models import Recording
from emotion.sealed_media import blob_path, media_row, media_unit, remove_media, remove_unused_media
from vault.keyring import create_data_key, destroy_data_keys
from vault.store import seal_blob

MEDIA_TYPE = "image/png"


@dataclass(frozen=True)
class Picture:
    """A covered photograph as a file, not yet sealed. width, height: pixels."""

    body: bytes
    width: int
    height: int

    def __repr__(self) -> str:
        return "Picture(covered)"


@dataclass(frozen=True)
class SealedPicture:
    """A covered photograph, sealed beside the one as it came. size: bytes before sealing."""

    key_id: UUID
    size: int
    width: int
    height: int

    def take_its_place(self, recording: Recording) -> None:
        """Inside the transaction that ends the analysis: from its commit on the row names this one."""
        Recording.objects.filter(pk=recording.pk).update(
            media_key_id=self.key_id,
            media_type=MEDIA_TYPE,
            size=self.size,
            width=self.width,
            height=self.height,
            covered_at=timezone.now(),
        )


def kept_picture(recording: Recording, pixels: Pixels) -> Picture | None:
    """What a purpose that keeps photographs keeps of this one; None for nothing.

    Nothing where it cannot be told who is the person, and where what is stored was covered before.
    """
    if not recording.keep_media or recording.covered_at is not None:
        return None
    try:
        made = only_the_person(pixels)
    except CannotTell:
        return None
    height, width = made.shape[:2]
    return Picture(encode_png(made), width, height)


@contextmanager
def sealed_picture(
    held: Claim, permit: ConsentPermit, picture: Picture | None
) -> Iterator[SealedPicture | None]:
    """Seal a picture under a new key; file and key go again when the block that saves it fails.

    Not when the database failed: whether it was committed is unknown then. What such an attempt and
    killed ones left is removed first.
    """
    if picture is None:
        yield None
        return
    recording = held.recording
    unit = media_unit(recording.id, recording.subject_id, recording.purpose_id)
    remove_unused_media(recording)
    key_id = create_data_key(unit)
    try:
        row, path = media_row(recording.id), blob_path(key_id)
        with seal_blob(permit, key_id, unit, row, path) as blob:
            blob.write(picture.body)
            blob.commit()
        yield SealedPicture(key_id, len(picture.body), picture.width, picture.height)
    except DatabaseError:
        raise
    except BaseException:
        remove_media(key_id)
        destroy_data_keys([key_id])
        raise
