"""The model files and their manifest: nothing is loaded whose SHA-256 is not the written one."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "models"


class ModelIntegrityError(Exception):
    """A model file is missing, or is not the one that the manifest describes."""


@cache
def manifest() -> dict[str, dict[str, Any]]:
    """The manifest's entries by file name: role, source, licence, checksums, labels, training data."""
    with (FOLDER / "manifest.json").open(encoding="utf-8") as file:
        return {entry["file"]: entry for entry in json.load(file)["files"]}


def model_bytes(name: str) -> bytes:
    """The bytes of a model file, checked against the manifest. Raises ModelIntegrityError."""
    entry = manifest().get(name)
    if entry is None:
        raise ModelIntegrityError(f"{name} is not in the manifest")
    try:
        body = (FOLDER / name).read_bytes()
    except OSError as error:
        raise ModelIntegrityError(f"{name}: {type(error).__name__}") from error
    found = hashlib.sha256(body).hexdigest()
    if found != entry["sha256"]:
        raise ModelIntegrityError(f"{name}: expected SHA-256 {entry['sha256']}, got {found}")
    return body


def verify_models() -> None:
    """Check every file of the manifest. Raises ModelIntegrityError at the first that is wrong."""
    for name in manifest():
        model_bytes(name)
