"""Verifying that every change of the log's key is an entry of the log, and what ended origins left."""

from __future__ import annotations

from itertools import pairwise

from audit_log import signing
from audit_log.actions import Action
from audit_log.blocks import Mismatch, require
from audit_log.checkpoint import InvalidNote, verify
from audit_log.key_history import KeyHistory, KeyRecord
from audit_log.models import LogEntry
from audit_log.origins import note_tag
from audit_log.rotation import key_tag
from audit_log.tree import root_at


def verify_keys(history: KeyHistory) -> None:
    """Verify that each change of the key is an entry, before the key signed; and each ended origin's note.

    Entries of an ended origin that are lost were lost with it.
    """
    number = len(history.ended_origins())
    for newer, older in pairwise(history.records):
        moved = newer.key.name != older.key.name
        if moved:
            tag = verify_ended(history, number, older)
            number -= 1
        elif history.at(newer.start) is not newer:
            continue
        else:
            tag = key_tag(newer.key)
        action = Action.LOG_NEW_ORIGIN if moved else Action.LOG_KEY_ROTATE
        rows = LogEntry.objects.about_object([tag]).filter(action=action)
        places = {"index": newer.start - 1} if moved else {"index__lt": newer.start}
        require(
            rows.filter(**places).exists(),
            f"no entry {action} names the key that signs from {newer.start} entries on",
        )
        if not moved:
            verify_handover(newer, older)


def verify_handover(newer: KeyRecord, older: KeyRecord) -> None:
    """Verify the checkpoint by which a key handed over to the next: of the tree before that one signed."""
    path, note = signing.handover_path(newer.key), signing.handover_note(newer.key)
    require(note is not None, f"{path} is missing")
    try:
        tree = verify(note or "", older.key)
    except InvalidNote as error:
        raise Mismatch(f"{path}: {error}") from error
    require(
        tree.size == newer.start - 1 and tree.root == root_at(tree.size),
        f"{path} is not the checkpoint of the {newer.start - 1} entries before that key signed",
    )


def verify_ended(history: KeyHistory, number: int, last: KeyRecord) -> bytes:
    """Verify the last checkpoint of an ended origin; how the entry that follows it names it."""
    note = signing.ended_note(number)
    require(note is not None, f"{signing.ended_path(number)} is missing")
    try:
        tree = history.verify(note or "")
    except InvalidNote as error:
        raise Mismatch(f"{signing.ended_path(number)}: {error}") from error
    require(
        (tree.origin, tree.size) == (last.key.name, last.to),
        f"{signing.ended_path(number)} is not the last checkpoint of {last.key.name}",
    )
    return note_tag(note or "")
