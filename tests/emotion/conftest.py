"""A machine whose disk was lost."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connections

from emotion.upgrades import restoring_mark
from tests.databases import create, drop, is_sqlite, point
from vault.setup import is_empty


@pytest.fixture
def clean_machine(tmp_path: Path) -> Iterator[Any]:
    """A function that takes the main database and all sealed files away, as a lost disk does."""
    lost = [str(connections["default"].settings_dict["NAME"])]
    blobs = Path(settings.BLOB_DIR)

    def lose() -> None:
        name = f"{lost[0]}_clean"
        if not is_sqlite():
            create(name)
        point("default", name)
        shutil.rmtree(blobs)
        assert is_empty("default")

    yield lose
    restoring_mark().unlink(missing_ok=True)
    clean = str(connections["default"].settings_dict["NAME"])
    point("default", lost[0])
    if clean != lost[0] and not is_sqlite():
        drop(clean)
