"""Fixtures of the vault's tests."""

from __future__ import annotations

import pytest

from tests.vault.cast import Place, a_place


@pytest.fixture
def place(fresh_db: None) -> Place:
    """A permit, a data key, a unit and a row that belong together."""
    return a_place()
