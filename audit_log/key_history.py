"""Every key that ever signed checkpoints of this log, and which one counts for which tree size.

The text is for people and programs, and is published as it stands. Its first line is the verifier key
of today; lines that begin with ``#`` are words; each other line is a key with ``name=value`` pairs,
newest first::

    study.example/log+4d1c90aa+AbC… from=1204 since=2026-11-27T12:00:00Z
    study.example/log+99aa0011+XyZ… from=1 since=2026-01-02T10:00:00Z until=2026-12-27T12:00:00Z

``from`` and ``to`` are the tree sizes of the first and the last checkpoint that a key may sign,
``until`` is the end of the window in which it signs beside the newer key, ``ended`` when it was
destroyed. A key of another origin before it belongs to a log that was ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise

from audit_log.checkpoint import Checkpoint, InvalidNote, VerifierKey, split_note, verify

TIME = "%Y-%m-%dT%H:%M:%SZ"
WORDS = (
    "# The keys of this access log, newest first. A checkpoint of a tree size from=A to=B must be\n"
    "# signed by that key; until: it signs beside the newer key until then; ended: destroyed.\n"
    "# Compare the key with a copy that you got another way.\n"
)


@dataclass(frozen=True, kw_only=True)
class KeyRecord:
    """One key's time in the log; the fields are those of the text."""

    key: VerifierKey
    start: int
    since: datetime
    until: datetime | None = None
    to: int | None = None
    ended: datetime | None = None

    def sizes(self) -> str:
        """Which tree sizes the key may sign, in the text's words."""
        return f"from={self.start}" + ("" if self.to is None else f" to={self.to}")

    def line(self) -> str:
        """The record as one line."""
        words = [str(self.key), f"from={self.start}", f"since={self.since.strftime(TIME)}"]
        words += [f"until={self.until.strftime(TIME)}"] if self.until else []
        words += [] if self.to is None else [f"to={self.to}"]
        words += [f"ended={self.ended.strftime(TIME)}"] if self.ended else []
        return " ".join(words)

    @classmethod
    def parse(cls, line: str) -> KeyRecord:
        """Read what ``line`` writes. Raises InvalidNote."""
        key, *words = line.split(" ")
        fields = dict(word.split("=", 1) for word in words if "=" in word)
        try:
            record = cls(
                key=VerifierKey.parse(key),
                start=int(fields["from"]),
                since=read_time(fields["since"]),
                until=read_time(fields["until"]) if "until" in fields else None,
                to=int(fields["to"]) if "to" in fields else None,
                ended=read_time(fields["ended"]) if "ended" in fields else None,
            )
        except (KeyError, ValueError) as error:
            raise InvalidNote(f"not a key of a history: {line!r} ({error})") from None
        if record.line() != line:
            raise InvalidNote(f"not a key of a history: {line!r}")
        return record


def read_time(text: str) -> datetime:
    """A time to the second, in UTC. Raises ValueError."""
    return datetime.strptime(text, TIME).replace(tzinfo=UTC)


@dataclass(frozen=True)
class KeyHistory:
    """The keys, newest first; never empty."""

    records: tuple[KeyRecord, ...]

    @classmethod
    def begin(cls, key: VerifierKey, at: datetime) -> KeyHistory:
        """The history of a new log."""
        return cls((KeyRecord(key=key, start=1, since=at),))

    @classmethod
    def parse(cls, text: str) -> KeyHistory:
        """Read the text. Raises InvalidNote unless it is one that ``str`` writes, comments aside."""
        first, *lines = text.splitlines() or [""]
        current = VerifierKey.parse(first)
        found = tuple(KeyRecord.parse(line) for line in lines if not line.startswith("#"))
        if not found or found[0].key != current or found[0].ended:
            raise InvalidNote("the first key of a history is the one in its first line")
        for newer, older in pairwise(found):
            # A new origin may go on from before the last rotation of the old one.
            if newer.key.name == older.key.name and newer.start < older.start:
                raise InvalidNote("the keys of a history stand newest first")
        return cls(found)

    def __str__(self) -> str:
        lines = "".join(f"{record.line()}\n" for record in self.records)
        return f"{self.current}\n{WORDS}{lines}"

    @property
    def current(self) -> VerifierKey:
        """The key that must sign today."""
        return self.records[0].key

    def signing(self) -> list[VerifierKey]:
        """The keys that sign every checkpoint now: the current one, then those in their window."""
        return [record.key for record in self.records if record.ended is None]

    def in_window(self) -> list[KeyRecord]:
        """Older keys that still sign."""
        return [record for record in self.records[1:] if record.ended is None]

    def ended_origins(self) -> list[str]:
        """The origins of logs that this one goes on after, oldest first."""
        names = dict.fromkeys(record.key.name for record in reversed(self.records))
        return [name for name in names if name != self.current.name]

    def at(self, size: int) -> KeyRecord:
        """The key that counts at a tree size in the line of logs that leads to today's."""
        return next(r for r in self.records if r.start <= size or r is self.records[-1])

    def rotated(self, key: VerifierKey, *, size: int, at: datetime, until: datetime) -> KeyHistory:
        """A new key signs from the size after this one on, and the current one until a time beside it."""
        old = replace(self.records[0], until=until)
        return KeyHistory((KeyRecord(key=key, start=size + 1, since=at), old, *self.records[1:]))

    def without(self, keys: Sequence[VerifierKey], *, size: int, at: datetime) -> KeyHistory:
        """Older keys sign no checkpoint after that of a size."""
        return KeyHistory(
            tuple(
                replace(r, to=size, ended=at) if r.key in keys and r.ended is None else r
                for r in self.records
            )
        )

    def moved(self, key: VerifierKey, *, size: int, last: int, at: datetime) -> KeyHistory:
        """Another origin goes on after ``size`` entries; the old one signed up to ``last``."""
        old = self.without(self.signing(), size=last, at=at).records
        return KeyHistory((KeyRecord(key=key, start=size + 1, since=at), *old))

    def verify(self, note: str) -> Checkpoint:
        """The checkpoint of a note that is signed by the key which counted then. Raises InvalidNote.

        A signature by any other key of the log need not be there, but must be right if it is.
        """
        text, signatures = split_note(note)
        tree = Checkpoint.parse(text)
        mine = [record for record in self.records if record.key.name == tree.origin]
        if not mine:
            raise InvalidNote(f"expected origin {self.current.name!r}; got {tree.origin!r}")
        counts = next((r for r in mine if r.start <= tree.size), mine[-1])
        if counts.to is not None and tree.size > counts.to:
            raise InvalidNote(
                f"{counts.key.name}+{counts.key.key_id.hex()} signed nothing after {counts.to} entries"
            )
        there = {(name, signature[:4]) for name, signature in signatures}
        for record in mine:
            if record is counts or (record.key.name, record.key.key_id) in there:
                verify(note, record.key)
        return tree
