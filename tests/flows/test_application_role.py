"""The four walks once more, on a database in which the application owns nothing.

Upload, analysis by a real worker, reading, withdrawal and erasure; the keystore has the same two roles.
"""

from __future__ import annotations

import pytest

from audit_log.database_roles import faults
from tests.databases import ALIASES
from tests.flows.test_four_walks import (  # noqa: F401  they are collected here too
    test_analysis_walk,
    test_read_walk,
    test_upload_walk,
    test_withdrawal_walk,
)
from tests.two_roles import TwoRoles

pytestmark = [pytest.mark.processes]


@pytest.fixture
def fresh_db(as_application: TwoRoles) -> None:
    """What the walks call a fresh database."""
    assert [faults(alias) for alias in ALIASES] == [[], []]
