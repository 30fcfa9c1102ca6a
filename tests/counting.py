"""Counting queries: a page must not ask the database more often because it shows more rows."""

from __future__ import annotations

from typing import Any

from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext


def queries_of(browser: Client, address: str) -> int:
    """How many queries a page needs, on both databases. The page must be there."""
    with (
        CaptureQueriesContext(connections["default"]) as main,
        CaptureQueriesContext(connections["keystore"]) as keystore,
    ):
        page: Any = browser.get(address)
    assert page.status_code == 200, page.status_code
    return len(main) + len(keystore)
