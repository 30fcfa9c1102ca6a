"""A pytest plugin that selects a part of the tests, named by CONSENTRY_TEST_PART.

"all": everything. "databases": what uses a database but no process of ours, nor a browser; those say
nothing new on another engine. "queue": what starts a worker, keeper or web server.
"""

from __future__ import annotations

import os

import pytest

PROCESSES = {"worker", "keeper"}  # fixtures that start them


def part_of(item: pytest.Item) -> str:
    """The part that a test belongs to besides "all"; empty when it belongs to none."""
    fixtures = set(getattr(item, "fixturenames", ()))
    if item.get_closest_marker("browser") or "templates" not in fixtures:
        return ""  # without the tests' databases the engine makes no difference
    if item.get_closest_marker("processes") or fixtures & PROCESSES:
        return "queue"
    return "databases"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is not in the wanted part."""
    part = os.environ.get("CONSENTRY_TEST_PART", "all")
    if part == "all":
        return
    left_out = [item for item in items if part_of(item) != part]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if part_of(item) == part]
