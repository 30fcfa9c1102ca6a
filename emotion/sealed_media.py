"""Where a recording's sealed media lie, and what they are bound to."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from django.conf import settings

from consent.models import DataCategory
from vault.units import Row, Unit


def blob_path(recording_id: UUID) -> Path:
    """Where a recording's sealed media lie; the name says nothing."""
    name = recording_id.hex
    return Path(settings.BLOB_DIR) / name[-2:] / f"{name}.sealed"


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


def remove_media(recording_id: UUID) -> None:
    """Remove a recording's sealed file, and what a killed process left half-written beside it."""
    path = blob_path(recording_id)
    path.unlink(missing_ok=True)
    for unfinished in path.parent.glob(f".{path.name}.*.partial"):
        unfinished.unlink(missing_ok=True)
