"""How the command ends: exit statuses, and the error that ends it with one line."""

from __future__ import annotations

OK = 0
SOME_FAILED = 1
"""Something was refused or failed; the lines say what. Of ``verify-receipt``: not verified."""
USAGE = 2
NO_KEY = 3
"""There is no key, or the server does not take it."""
UNREACHABLE = 4
"""The server gave no answer, cannot answer now, or was asked too often: run the command again later."""
INTERRUPTED = 130


class Stop(Exception):
    """The command cannot go on; the message is one line that says what to do."""

    def __init__(self, message: str, status: int = USAGE) -> None:
        super().__init__(message)
        self.status = status
