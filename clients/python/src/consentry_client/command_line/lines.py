"""Lines for a terminal: one for each file or person, with what became of it."""

from __future__ import annotations

from collections import Counter

from consentry_client.errors import ApiError

LACKS_SCOPE = "permission-denied"


def plain(text: object) -> str:
    """Text that cannot play tricks on a terminal, whatever a file is called."""
    return "".join(char if char.isprintable() else "?" for char in str(text))


def why(error: Exception) -> str:
    """A refusal in one line."""
    if isinstance(error, OSError):
        return plain(error.strerror or type(error).__name__)
    if not isinstance(error, ApiError):
        return plain(error)
    fields = "".join(f" ({each})" for each in error.errors)
    return plain(f"{error.code}: {error.detail}{fields}")


class Outcomes:
    """What became of each, and how many of each kind there were."""

    def __init__(self, failures: frozenset[str]) -> None:
        self.counts: Counter[str] = Counter()
        self.failures = failures

    def add(self, outcome: str, what: str, more: str = "") -> None:
        """Print one line and count it."""
        self.counts[outcome] += 1
        print(f"{outcome:<10} {plain(what)}{'  ' if more else ''}{plain(more)}", flush=True)

    def end(self) -> int:
        """Print the sum; returns the exit status: 1 when anything failed."""
        told = ", ".join(f"{number} {outcome}" for outcome, number in self.counts.items())
        print(told or "nothing to do", flush=True)
        return int(any(self.counts[each] for each in self.failures))
