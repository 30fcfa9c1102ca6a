"""What is kept of media after their analysis: never as they came, only with all but the head covered.

What is covered is sealed into a file of its own under a key of its own, before the transaction that saves
the results; in it the recording's row turns from the one key to the other. So whatever is killed leaves
either the media as they came, which wait and which nobody can look at, or the covered ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from django.db import DatabaseError
from django.utils import timezone

from consent.enforcement import ConsentPermit
from emotion.claims import Claim
from emotion.inference.arrays import Pixels
from emotion.inference.covering import CannotTell, only_the_person
from emotion.inference.media import encode_png
from emotion.models import Recording
from emotion.sealed_media import (
    blob_path,
    markers_row,
    media_row,
    media_unit,
    remove_media,
    remove_unused_media,
)
from vault.keyring import create_data_key, destroy_data_keys
from vault.store import seal, seal_blob

Write = Callable[[bytes], object]


class Covered(Protocol):
    """What is to be kept of a recording, not yet sealed."""

    @property
    def media_type(self) -> str:
        """Of what ``write_to`` hands on."""

    @property
    def markers(self) -> bytes:
        """What came with a film, to be sealed anew beside it."""

    def write_to(self, write: Write) -> tuple[int, int]:
        """Hand all of it on; width and height in pixels. Raises CannotTell when nothing may be kept."""


@dataclass(frozen=True)
class Picture:
    """A covered photograph as a file, not yet sealed. width, height: pixels."""

    body: bytes
    width: int
    height: int
    media_type: str = "image/png"
    markers: bytes = b""

    def write_to(self, write: Write) -> tuple[int, int]:
        """All of it at once."""
        write(self.body)
        return self.width, self.height

    def __repr__(self) -> str:
        return "Picture(covered)"


@dataclass(frozen=True)
class SealedCover:
    """Covered media, sealed beside those as they came. size: bytes before sealing."""

    key_id: UUID
    media_type: str
    size: int
    width: int
    height: int
    sealed_markers: bytes | None

    def take_its_place(self, recording: Recording) -> None:
        """Inside the transaction that ends the analysis: from its commit on the row names this one."""
        Recording.objects.filter(pk=recording.pk).update(
            media_key_id=self.key_id,
            media_type=self.media_type,
            size=self.size,
            width=self.width,
            height=self.height,
            sealed_markers=self.sealed_markers,
            covered_at=timezone.now(),
        )


def is_to_be_covered(recording: Recording) -> bool:
    """Whether the purpose keeps media, and what is stored is as it came."""
    return recording.keep_media and recording.covered_at is None


def kept_picture(recording: Recording, pixels: Pixels) -> Picture | None:
    """What a purpose that keeps photographs keeps of this one; None for nothing.

    Nothing where it cannot be told who is the person, and where what is stored was covered before.
    """
    if not is_to_be_covered(recording):
        return None
    try:
        made = only_the_person(pixels)
    except CannotTell:
        return None
    height, width = made.shape[:2]
    return Picture(encode_png(made), width, height)


@contextmanager
def sealed_cover(
    held: Claim, permit: ConsentPermit, covered: Covered | None
) -> Iterator[SealedCover | None]:
    """Seal what is kept under a new key; file and key go again when the block that saves it fails.

    Not when the database failed: whether it was committed is unknown then. What such an attempt and
    killed ones left is removed first.
    """
    if covered is None:
        yield None
        return
    recording = held.recording
    remove_unused_media(recording)
    key_id = create_data_key(media_unit(recording.id, recording.subject_id, recording.purpose_id))
    try:
        yield seal_cover(permit, recording, key_id, covered)
    except DatabaseError:
        raise
    except BaseException:
        remove_media(key_id)
        destroy_data_keys([key_id])
        raise


def seal_cover(
    permit: ConsentPermit, recording: Recording, key_id: UUID, covered: Covered
) -> SealedCover | None:
    """Write the file of this key; None, and no file and no key, when nothing may be kept."""
    unit = media_unit(recording.id, recording.subject_id, recording.purpose_id)
    row, path = media_row(recording.id), blob_path(key_id)
    try:
        with seal_blob(permit, key_id, unit, row, path) as blob:
            width, height = covered.write_to(blob.write)
            blob.commit()
    except CannotTell:
        destroy_data_keys([key_id])
        return None
    markers = None
    if covered.markers:
        markers = seal(permit, key_id, unit, markers_row(recording.id), covered.markers)
    return SealedCover(key_id, covered.media_type, blob.size, width, height, markers)
