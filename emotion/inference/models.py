"""Packs: folders of models with a manifest. A file whose SHA-256 is not the listed one is refused."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "packs"
"""The packs that come with the product, one folder each."""
BUILT_IN = FOLDER / "expression-mean-of-three"
"""The product's own pack for expressions."""


class ModelIntegrityError(Exception):
    """A model file or a manifest is missing, or is not what it should be."""


class ExecutionProviderUnusable(Exception):
    """What was chosen to compute with is not there, does not start, or gives other numbers."""


def read_pack(folder: Path) -> dict[str, Any]:
    """The manifest of one pack's folder, as docs/formats.md lists it. Raises ModelIntegrityError."""
    try:
        listed: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        for entry in listed["files"]:
            entry["pack"] = listed["pack"]
        if listed["pack"] != folder.name:
            raise ValueError("the folder has another name")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        problem = f"{folder.name}/manifest.json: {type(error).__name__}"
        raise ModelIntegrityError(problem) from error
    return listed


def pack_digest(folder: Path) -> str:
    """The SHA-256 of a pack's manifest, and through it of all its files. Raises ModelIntegrityError."""
    try:
        return hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    except OSError as error:
        problem = f"{folder.name}/manifest.json: {type(error).__name__}"
        raise ModelIntegrityError(problem) from error


@cache
def packs(folder: Path = FOLDER) -> dict[str, dict[str, Any]]:
    """The manifests of all packs in a folder, by name. Raises ModelIntegrityError."""
    found = sorted(path for path in folder.glob("*") if path.is_dir())
    if not found:
        raise ModelIntegrityError(f"{folder.name}: no pack")
    return {path.name: read_pack(path) for path in found}


@cache
def manifest(folder: Path = FOLDER) -> dict[str, dict[str, Any]]:
    """The model files of all packs by file name: role, sources, licence, checksums, training data.

    Raises ModelIntegrityError, also when two packs have a file of one name.
    """
    entries = [entry for pack in packs(folder).values() for entry in pack["files"]]
    try:
        by_name = {entry["file"]: entry for entry in entries}
    except (KeyError, TypeError) as error:
        raise ModelIntegrityError(f"manifest.json: {type(error).__name__}") from error
    if len(by_name) != len(entries):
        raise ModelIntegrityError("two packs have a file of the same name")
    return by_name


def model_bytes(name: str, folder: Path = FOLDER) -> bytes:
    """The bytes of a model file, checked against its pack's manifest. Raises ModelIntegrityError."""
    entry = manifest(folder).get(name)
    if entry is None:
        raise ModelIntegrityError(f"{name} is in no manifest")
    return checked_bytes(folder / str(entry["pack"]), name, str(entry["sha256"]))


def pack_bytes(name: str, pack: Path) -> bytes:
    """The bytes of a model file of one pack's folder, checked. Raises ModelIntegrityError."""
    for entry in read_pack(pack)["files"]:
        if entry["file"] == name:
            return checked_bytes(pack, name, str(entry["sha256"]))
    raise ModelIntegrityError(f"{name} is not in the manifest of {pack.name}")


def checked_bytes(pack: Path, name: str, sha256: str) -> bytes:
    """The bytes of a file of a pack's folder, if they are the ones meant. Raises ModelIntegrityError."""
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise ModelIntegrityError(f"{name} is not inside the pack")
    try:
        body = (pack / name).read_bytes()
    except OSError as error:
        raise ModelIntegrityError(f"{name}: {type(error).__name__}") from error
    found = hashlib.sha256(body).hexdigest()
    if found != sha256:
        raise ModelIntegrityError(f"{name}: expected SHA-256 {sha256}, got {found}")
    return body


def verify_pack(pack: Path) -> None:
    """Check every file that a pack's manifest lists. Raises ModelIntegrityError at the first wrong one."""
    listed = read_pack(pack)
    try:
        checksums = [(str(entry["file"]), str(entry["sha256"])) for entry in listed["files"]]
        checksums += [(str(name), str(sha256)) for name, sha256 in listed.get("also", {}).items()]
    except (KeyError, TypeError, AttributeError) as error:
        problem = f"{pack.name}/manifest.json: {type(error).__name__}"
        raise ModelIntegrityError(problem) from error
    for name, sha256 in checksums:
        checked_bytes(pack, name, sha256)


def verify_models(folder: Path = FOLDER) -> None:
    """Check every file of every pack. Raises ModelIntegrityError at the first that is wrong."""
    manifest(folder)
    for name in packs(folder):
        verify_pack(folder / name)
