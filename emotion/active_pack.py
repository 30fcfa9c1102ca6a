"""Which pack reads expressions now. Loads no engine: pages ask, and only workers run models."""

from __future__ import annotations

import re
from pathlib import Path

from django.conf import settings

from emotion.inference.models import BUILT_IN, ModelIntegrityError, pack_digest, verify_pack
from emotion.models import ActivePack

ROLE = "expression"
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def installed() -> list[Path]:
    """The folders of the packs that can read expressions: the product's own, then those taken in."""
    beside = settings.MODELS_DIR
    found = sorted(path for path in beside.iterdir() if path.is_dir()) if beside.is_dir() else []
    return [BUILT_IN, *(path for path in found if NAME.fullmatch(path.name))]


def chosen() -> str:
    """The name of the pack in use, whatever lies in its folder."""
    row = ActivePack.objects.filter(role=ROLE).first()
    return BUILT_IN.name if row is None else row.pack


def chosen_digest() -> str:
    """The SHA-256 of the manifest of the pack in use, as it was when it was chosen."""
    row = ActivePack.objects.filter(role=ROLE).first()
    return pack_digest(BUILT_IN) if row is None else row.sha256


def active_folder() -> Path:
    """The folder of the pack in use. Raises ModelIntegrityError when it is not the one that was chosen."""
    row = ActivePack.objects.filter(role=ROLE).first()
    if row is None:
        return BUILT_IN
    folder: Path = settings.MODELS_DIR / row.pack
    if pack_digest(folder) != row.sha256:
        raise ModelIntegrityError(f"{row.pack}: not the pack that was chosen; activate it again")
    return folder


def verify_active() -> None:
    """Check every file of the pack in use. Raises ModelIntegrityError."""
    verify_pack(active_folder())
