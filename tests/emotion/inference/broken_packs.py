"""Packs for the tests: the product's own under another name, whole or with one thing wrong."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from emotion.inference.expressions import expression_pack
from emotion.inference.models import BUILT_IN

Json = dict[str, Any]


def another(folder: Path, name: str = "other") -> Path:
    """A pack that can be taken in: the product's own under another name, not yet evaluated."""
    pack = folder / name
    shutil.copytree(BUILT_IN, pack)
    (pack / "evaluation.json").unlink()
    change(pack, lambda listed: listed.update(pack=name))
    return pack


def change(pack: Path, how: Callable[[Json], object]) -> None:
    """Change a pack's manifest."""
    path = pack / "manifest.json"
    listed = json.loads(path.read_text())
    how(listed)
    path.write_text(json.dumps(listed))
    expression_pack.cache_clear()


def rewrite(pack: Path, name: str, body: bytes) -> None:
    """Write a file of a pack, with its checksum."""
    (pack / name).write_bytes(body)
    checksum = hashlib.sha256(body).hexdigest()

    def with_checksum(listed: Json) -> None:
        for entry in listed["files"]:
            if entry["file"] == name:
                entry["sha256"] = checksum
                return
        listed["also"][name] = checksum

    change(pack, with_checksum)


def model(listed: Json, name: str) -> Json:
    """One model's entry."""
    return next(entry for entry in listed["files"] if entry["file"] == f"expression_{name}.onnx")


def evaluated(pack: Path) -> None:
    """Give a pack the product's own report, as if it had been measured on these very files."""
    report = json.loads((BUILT_IN / "evaluation.json").read_text())
    report["pack_sha256"] = hashlib.sha256((pack / "manifest.json").read_bytes()).hexdigest()
    (pack / "evaluation.json").write_text(json.dumps(report))
