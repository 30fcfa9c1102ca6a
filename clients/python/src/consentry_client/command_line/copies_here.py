"""Where copies of results lie: ``FOLDER/SUBJECT/RECORDING/ANALYSIS/CATEGORY.json`` (opaque ids).

The places say whom a copy is about, so that nothing has to be remembered to erase the right ones.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from consentry_client.models import Erasure


def place(folder: Path, subject: UUID | None, recording: UUID, analysis: UUID) -> Path:
    """The folder of one analysis. Of a person whose reference is gone nothing is released any more."""
    return folder / str(subject) / str(recording) / str(analysis)


def where(folder: Path, erasure: Erasure) -> Path:
    """The folder of the person or the recording that an erasure is about."""
    about = folder / str(erasure.subject)
    return about if erasure.recording is None else about / str(erasure.recording)


def copies_of(folder: Path, erasure: Erasure) -> list[Path]:
    """The files and folders that an erasure is about."""
    if erasure.subject is None:
        return []
    whole = where(folder, erasure)
    if erasure.category is None:
        return [whole] if whole.exists() else []
    stem = erasure.category
    return sorted(path for path in files_under(whole) if path.name.partition(".")[0] == stem)


def files_under(folder: Path) -> Iterator[Path]:
    """The files in a folder and those below it; links are not followed."""
    if folder.is_dir() and not folder.is_symlink():
        for each in folder.iterdir():
            yield from files_under(each) if each.is_dir() else [each]


def erase(path: Path) -> None:
    """Take a copy away; of a link only the link. Raises OSError."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
