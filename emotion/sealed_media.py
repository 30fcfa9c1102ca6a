"""Where a recording's sealed media lie, and what they are bound to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings

from consent.models import DataCategory
from vault.keyring import data_key_ids, destroy_data_keys
from vault.units import Row, Unit

if TYPE_CHECKING:
    from emotion.models import Recording


def blob_path(key_id: UUID) -> Path:
    """Where the media sealed under a data key lie; the name says nothing.

    Named by the key, so that a row names file and key at once: one is never taken for another's.
    """
    name = key_id.hex
    return Path(settings.BLOB_DIR) / name[-2:] / f"{name}.sealed"


def part_path(key_id: UUID, part_id: UUID) -> Path:
    """Where a part of an upload lies, beside the others of its key; no backup takes it along."""
    return blob_path(key_id).with_name(f"{key_id.hex}.{part_id.hex}.part")


def media_unit(recording_id: UUID, subject_id: UUID, purpose_id: UUID) -> Unit:
    """The erasure unit of a recording's media."""
    return Unit(
        subject_id=subject_id,
        purpose_id=purpose_id,
        category=DataCategory.MEDIA,
        recording_id=recording_id,
    )


def media_row(recording_id: UUID) -> Row:
    """What a media blob is bound to."""
    return Row(table="recording", column="media", row_id=recording_id)


def markers_row(recording_id: UUID) -> Row:
    """What the markers of a film are bound to."""
    return Row(table="recording", column="markers", row_id=recording_id)


def part_row(part_id: UUID, number: int) -> Row:
    """What a part of an upload is bound to: itself, and its place among the others."""
    return Row(table="upload", column=f"part {number}", row_id=part_id)


def media_keys(recording: Recording, *, include_destroyed: bool = False) -> list[UUID]:
    """The data keys under which media of a recording were ever sealed."""
    return data_key_ids(
        subject_id=recording.subject_id,
        purpose_id=recording.purpose_id,
        category=DataCategory.MEDIA,
        recording_id=recording.id,
        include_destroyed=include_destroyed,
    )


def remove_media(key_id: UUID) -> None:
    """Remove the files sealed under a key, and what a killed process left half-written beside them."""
    path = blob_path(key_id)
    path.unlink(missing_ok=True)
    for pattern in (f"{key_id.hex}.*.part", f".{key_id.hex}.*.partial"):
        for other in path.parent.glob(pattern):
            other.unlink(missing_ok=True)


def remove_all_media(recording: Recording) -> None:
    """Remove every file of a recording, whichever of its keys it was sealed under."""
    for key_id in {recording.media_key_id, *media_keys(recording, include_destroyed=True)}:
        remove_media(key_id)


def remove_unused_media(recording: Recording) -> None:
    """Remove what killed attempts sealed beside the media that the row names, then the keys of it.

    The files first: a key that lives leads to its file again.
    """
    unused = [key_id for key_id in media_keys(recording) if key_id != recording.media_key_id]
    for key_id in unused:
        remove_media(key_id)
    destroy_data_keys(unused)
