"""The packs that can read expressions: taking one in, evaluating it, using it, and going back.

Packs lie beside the product's own in ``MODELS_DIR``, one folder each, and are never changed but for their
evaluation. A row says which is used, with the SHA-256 of its manifest, so that a pack which was exchanged
on the disk reads nobody. Each change is an entry of the access log.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.actors import SYSTEM_SETUP
from audit_log.actions import Action
from audit_log.entries import Draft
from audit_log.log import append
from emotion.active_pack import NAME, ROLE, installed
from emotion.errors import PackRefused
from emotion.inference.evaluation import report
from emotion.inference.expressions import ExpressionPack, expression_pack
from emotion.inference.labelled_faces import UnusableData, read_labelled
from emotion.inference.labels import LABELS
from emotion.inference.models import BUILT_IN, pack_digest
from emotion.inference.pack_checks import against_use, evaluation_of, problems_of
from emotion.models import ActivePack


def find_pack(name: str) -> Path:
    """The folder of a pack. Raises PackRefused when there is none of this name."""
    for folder in installed():
        if folder.name == name:
            return folder
    known = ", ".join(folder.name for folder in installed())
    raise PackRefused([f"there is no pack {name!r}; there are: {known}"])


def add(source: Path) -> Path:
    """Check a pack's folder and take a copy of it in; where it lies then. Raises PackRefused."""
    name = source.resolve().name
    if not NAME.fullmatch(name):
        raise PackRefused([f"{name!r}: small letters, digits and . _ - were expected as its name"])
    if any(folder.name == name for folder in installed()):
        raise PackRefused([f"a pack {name} is here already: give another version another name"])
    settings.MODELS_DIR.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".incoming-", dir=settings.MODELS_DIR) as incoming:
        copy = Path(incoming) / name
        try:
            shutil.copytree(source, copy, symlinks=True)
        except (OSError, shutil.Error) as error:
            raise PackRefused([f"{source}: {type(error).__name__}"]) from error
        if any(path.is_symlink() for path in copy.rglob("*")):
            raise PackRefused(["a pack holds files and no links"])
        problems = problems_of(copy)
        if problems:
            raise PackRefused(problems)
        with transaction.atomic():
            note(Action.MODEL_ADD, copy)
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
        **report(probabilities, faces.truth, sets, calibration.most_in_set, LABELS, faces.groups),
    }
    fresh = evaluation_of(folder)
    others = [each for each in fresh["reports"] if each["data"] != called] if fresh else []
    whole = {"schema": 1, "pack_sha256": pack.digest, "reports": [*others, found]}
    with transaction.atomic():
        note(Action.MODEL_EVALUATE, folder)
        path = folder / "evaluation.json"
        draft = path.with_name(".evaluation.json")
        draft.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
        draft.replace(path)
    return found


def activate(name: str) -> ExpressionPack:
    """Let a pack read expressions from now on. Raises PackRefused without its papers and evaluation."""
    folder = find_pack(name)
    problems = problems_of(folder) or against_use(folder)
    if problems:
        raise PackRefused(problems)
    if folder == BUILT_IN:
        retire()
        return expression_pack()
    pack = expression_pack(folder)
    with transaction.atomic():
        note(Action.MODEL_ACTIVATE, folder)
        ActivePack.objects.update_or_create(
            role=ROLE,
            defaults={"pack": name, "sha256": pack.digest, "since": timezone.now()},
        )
    return pack


def retire() -> str:
    """Go back to the product's own pack; the name of the one that was used, or "".

    Its folder stays: results that it gave name it.
    """
    with transaction.atomic():
        row = ActivePack.objects.select_for_update().filter(role=ROLE).first()
        if row is None:
            return ""
        # Of the row and not of the folder, which may be gone: that is a reason to go back.
        tag = bytes.fromhex(row.sha256)
        append(Draft(action=Action.MODEL_RETIRE, actor=SYSTEM_SETUP.log_name(), object_tag=tag))
        row.delete()
    return row.pack


def note(action: Action, folder: Path) -> None:
    """The entry of a change; its object is the SHA-256 of the pack's manifest."""
    tag = bytes.fromhex(pack_digest(folder))
    append(Draft(action=action, actor=SYSTEM_SETUP.log_name(), object_tag=tag))
