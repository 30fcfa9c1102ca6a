"""The keys of the log as an export carries them, under the names that they have under ``/.well-known/``.

Beside the history lies what proves it to whoever knows only one of its keys: for each rotation the
checkpoint that the older key signed alone and whose entries name the newer one, and the last checkpoint
of each origin that was ended.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from audit_log import signing
from audit_log.checkpoint import InvalidNote
from audit_log.errors import ExportInvalid
from audit_log.key_history import KeyHistory

HISTORY = "consentry-log-key"


def key_files() -> dict[str, bytes]:
    """What to write, by path, in this order: the notes before the history that needs them.

    Raises SigningKeyMissing. A note that is lost is left out, and then the export does not verify.
    """
    history = signing.key_history()
    found = {path: note.encode() for path, note in notes(history).items() if note is not None}
    return found | {HISTORY: str(history).encode()}


def notes(history: KeyHistory) -> dict[str, str | None]:
    """What proves a history, by its path in an export; None for what is lost."""
    found = {
        f"consentry-log-handover/{newer.key.key_id.hex()}": signing.handover_note(newer.key)
        for newer, older in pairwise(history.records)
        if newer.key.name == older.key.name
    }
    for number, _origin in enumerate(history.ended_origins(), 1):
        found[f"consentry-log-ended/{number}"] = signing.ended_note(number)
    return found


def verify_key_files(read: Callable[[str], bytes | None]) -> None:
    """Compare what an export says of the keys with this log's own files; it may be older than they are.

    Raises ExportInvalid.
    """
    here = signing.key_history()
    try:
        there = KeyHistory.parse((read(HISTORY) or b"").decode())
    except (UnicodeDecodeError, InvalidNote) as error:
        raise ExportInvalid(f"{HISTORY}: {error}") from None
    expected = [(record.key, record.start) for record in here.records]
    if [(r.key, r.start) for r in there.records] != expected[-len(there.records) :]:
        raise ExportInvalid(f"{HISTORY} names other keys than this log has")
    for path, note in notes(there).items():
        if read(path) != (note or "").encode():
            raise ExportInvalid(f"{path} is not the note that this log has")
