"""What an upload or an analysis has left behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings

from consent.models import DataSubject
from emotion.models import Analysis, Recording, Result, Upload
from vault.keyring import data_key_ids

ENDED = {"done", "refused", "failed", "cancelled", "erased"}


def sealed_files() -> set[Path]:
    """Every file where media lie, half-written ones included. The folder is the test process's."""
    return {path for path in Path(settings.BLOB_DIR).rglob("*") if path.is_file()}


def living_keys(subject: DataSubject) -> list[Any]:
    """Data keys of the person's media and results that are not destroyed."""
    found = []
    for category in ("media", "expression", "blendshapes", "summary"):
        found += data_key_ids(subject_id=subject.id, category=category)
    return found


def rows() -> dict[str, int]:
    """How many rows there are of what uploads and analyses make."""
    return {
        model.__name__: model._default_manager.count()
        for model in (Upload, Recording, Analysis, Result)
    }


NOTHING = {"Upload": 0, "Recording": 0, "Analysis": 0, "Result": 0}
