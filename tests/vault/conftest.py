"""Fixtures of the vault's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.vault.cast import Place, a_place
from tests.vault.household import Household


@pytest.fixture
def place(fresh_db: None) -> Place:
    """A permit, a data key, a unit and a row that belong together."""
    return a_place()


@pytest.fixture
def household(fresh_db: None, tmp_path: Path) -> Household:
    """One of everything that is wrapped."""
    return Household(tmp_path)
