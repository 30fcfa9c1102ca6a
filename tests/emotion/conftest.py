"""A machine whose disk was lost."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connections

from emotion.upgrades import keystore_mark, restoring_mark
from tests.databases import create, drop, is_sqlite, point
from vault.setup import is_empty


@pytest.fixture
def clean_machine(tmp_path: Path) -> Iterator[Any]:
    """A function that takes databases away as a lost disk does; with the main one all sealed files."""
    lost: dict[str, str] = {}
    blobs = Path(settings.BLOB_DIR)

    def lose(*aliases: str) -> None:
        for alias in aliases or ("default",):
            lost[alias] = str(connections[alias].settings_dict["NAME"])
            if not is_sqlite():
                create(f"{lost[alias]}_clean")
            point(alias, f"{lost[alias]}_clean")
            assert is_empty(alias)
        if "default" in lost:
            shutil.rmtree(blobs)

    yield lose
    for mark in (restoring_mark(), keystore_mark()):
        mark.unlink(missing_ok=True)
    for alias, name in lost.items():
        point(alias, name)
        if not is_sqlite():
            drop(f"{name}_clean")
