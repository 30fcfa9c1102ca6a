"""The model files and their manifest: nothing is loaded whose SHA-256 is not the written one."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "models"


class ModelIntegrityError(Exception):
    """A model file or the manifest is missing, or is not what it should be."""


@cache
def manifest(folder: Path = FOLDER) -> dict[str, dict[str, Any]]:
    """The manifest's entries by file name: role, sources, licence, checksums, labels, training data."""
    try:
        listed = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        return {entry["file"]: entry for entry in listed["files"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelIntegrityError(f"manifest.json: {type(error).__name__}") from error


def model_bytes(name: str, folder: Path = FOLDER) -> bytes:
    """The bytes of a model file, checked against the manifest. Raises ModelIntegrityError."""
    entry = manifest(folder).get(name)
    if entry is None:
        raise ModelIntegrityError(f"{name} is not in the manifest")
    try:
        body = (folder / name).read_bytes()
    except OSError as error:
        raise ModelIntegrityError(f"{name}: {type(error).__name__}") from error
    found = hashlib.sha256(body).hexdigest()
    if found != entry["sha256"]:
        raise ModelIntegrityError(f"{name}: expected SHA-256 {entry['sha256']}, got {found}")
    return body


def verify_models(folder: Path = FOLDER) -> None:
    """Check every file of the manifest. Raises ModelIntegrityError at the first that is wrong."""
    for name in manifest(folder):
        model_bytes(name, folder)
