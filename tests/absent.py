"""What a machine lacks: a test that needs it is skipped, and with CI=true fails."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def absent(what: str) -> NoReturn:
    """End the test; ``what`` says what is not here, and who needs it."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"with CI=true everything must be here: {what}")
    pytest.skip(what)
