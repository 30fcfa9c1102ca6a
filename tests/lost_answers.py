"""A database that commits and whose answer is lost on the way: whoever asked cannot know that it did."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError, connections


def lose_answers(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """What is returned makes the next commit of the main database really commit, and then raise."""
    backend = type(connections["default"])
    commit, lost = backend.commit, list[bool]()

    def committed(connection: Any) -> None:
        commit(connection)
        if lost and connection.alias == "default":
            lost.clear()
            raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(backend, "commit", committed)
    return lambda: lost.append(True)
