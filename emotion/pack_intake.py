"""Taking in a pack that can read expressions, and measuring it. Loads the engine: commands do this.

Packs lie beside the product's own in ``MODELS_DIR``, one folder each, and are never changed but for their
evaluation.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.actors import SYSTEM_SETUP
from audit_log.actions import Action
from emotion.active_pack import NAME, installed
from emotion.errors import PackRefused
from emotion.inference.evaluation import report
from emotion.inference.expressions import expression_pack
from emotion.inference.labelled_faces import UnusableData, read_labelled
from emotion.inference.labels import LABELS
from emotion.inference.models import BUILT_IN
from emotion.inference.pack_checks import problems_of
from emotion.inference.pack_reports import reports_of
from emotion.pack_choice import find_pack, note


def add(source: Path) -> Path:
    """Check a pack's folder and take a copy of it in; where it lies then. Raises PackRefused."""
    name = Path(os.path.realpath(source)).name  # Path.resolve falls over a loop of links
    if not NAME.fullmatch(name):
        raise PackRefused([f"{name!r}: small letters, digits and . _ - were expected as its name"])
    if any(folder.name == name for folder in installed()):
        raise PackRefused([f"a pack {name} is here already: give another version another name"])
    settings.MODELS_DIR.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".incoming-", dir=settings.MODELS_DIR) as incoming:
        copy = Path(incoming) / name
        try:
            shutil.copytree(source, copy, symlinks=True)
        except OSError as error:
            why = error.strerror or "not all of it can be read"  # shutil names each file instead
            raise PackRefused([f"{source}: {why}"]) from error
        if any(path.is_symlink() for path in copy.rglob("*")):
            raise PackRefused(["a pack holds files and no links"])
        problems = problems_of(copy)
        if problems:
            raise PackRefused(problems)
        with transaction.atomic():
            note(Action.MODEL_ADD, SYSTEM_SETUP, copy)
            copy.rename(settings.MODELS_DIR / name)
    return Path(settings.MODELS_DIR / name)


def evaluate(name: str, data: Path, called: str) -> dict[str, Any]:
    """Measure a pack on labelled faces, write the report into it, and return it.

    ``called``: what the data are, for everybody who reads the report. Raises PackRefused.
    """
    folder = find_pack(name)
    if folder == BUILT_IN:
        raise PackRefused(["the product's own pack is not changed: copy it under another name"])
    pack = expression_pack(folder)
    try:
        faces = read_labelled(pack, data)
    except UnusableData as error:
        raise PackRefused([str(error)]) from error
    calibration = pack.calibration
    probabilities = calibration.probabilities(faces.votes)
    sets = calibration.sets(probabilities)
    found = {
        "data": called,
        "data_sha256": faces.sha256,
        "date": timezone.now().date().isoformat(),
        "note": f"The calibration was fitted on {calibration.data}.",
        "not_read": faces.not_read,
        **report(
            probabilities,
            faces.truth,
            sets,
            calibration.most_in_set,
            LABELS,
            faces.groups,
            faces.people,
        ),
    }
    others = [each for each in reports_of(folder) if each["data"] != called]
    whole = {"schema": 1, "pack_sha256": pack.digest, "reports": [*others, found]}
    with transaction.atomic():
        note(Action.MODEL_EVALUATE, SYSTEM_SETUP, folder)
        path = folder / "evaluation.json"
        draft = path.with_name(".evaluation.json")
        draft.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
        draft.replace(path)
    return found
