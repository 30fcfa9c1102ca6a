"""Going on under a new origin when what an old one signed is lost: the last resort after a restore.

Whoever holds a checkpoint of the old origin can prove that entries are missing; that is the point.
The first entry under the new origin names the old one's highest checkpoint by the SHA-256 of the
signed note, which is kept in ``keys/log/ended`` and published. The old key is destroyed, so the old
origin never signs again. The order makes a kill at any step harmless; the same call goes on:

1. the new private key, and a copy of the old origin's last note, are written beside the old ones;
2. the entry that names the note is given the next place; nothing can be signed yet;
3. the history is replaced: the new origin signs from there on; then the old keys are destroyed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

from django.db import transaction
from django.utils import timezone

from audit_log import signing
from audit_log.actions import Action
from audit_log.checkpoint import Checkpoint, InvalidNote, require_name
from audit_log.durable_files import write_durably
from audit_log.entries import Draft
from audit_log.errors import OriginRefused
from audit_log.key_history import KeyHistory
from audit_log.log import prepare
from audit_log.models import PendingEntry
from audit_log.rotation import ACTOR, placed, prepared_key
from audit_log.sequencer import exclusive, give_places, require_signed
from audit_log.tree import tree_size


def require_new_origin(name: str) -> None:
    """Raise OriginRefused unless the name can be an origin and none of this log's was called so."""
    history = signing.key_history()
    try:
        require_name(name)
    except InvalidNote as error:
        raise OriginRefused(f"{name!r}: {error}.") from None
    used = [*history.ended_origins(), history.current.name]
    if name in used and not is_begun(name):
        raise OriginRefused(f"Expected a name that was never used; {name!r} is taken.")


def is_begun(name: str) -> bool:
    """Whether the log goes on under this origin already, because an earlier call came that far."""
    history = signing.key_history()
    return history.current.name == name and bool(history.ended_origins())


def begin_origin(name: str) -> KeyHistory:
    """Let the log go on under a new origin and a new key. Safe to repeat with the same name.

    Raises OriginRefused when nothing is lost, or when a sequencer runs; HistoryMismatch when the
    database is not the beginning of what was signed.
    """
    require_new_origin(name)
    with signing.key_lock():
        if not is_begun(name):
            # Two transactions: the entry is committed before the history relies on it.
            with alone():
                number = place_note()
            with alone():
                move(name, number)
        signing.destroy_leftovers()
        if len(signing.read_secrets()) > 1:
            signing.write_secrets([signing.signer_key()])
        return signing.key_history()


@contextmanager
def alone() -> Iterator[None]:
    """Be the only sequencer. Raises OriginRefused when another runs."""
    with exclusive() as mine:
        if not mine:
            raise OriginRefused("The keeper is running: stop it first.")
        yield


def place_note() -> int:
    """Keep the last note of the old origin and give its entry a place; the note's number."""
    remembered, size = signing.highest_checkpoint(), tree_size()
    if remembered is None:
        raise OriginRefused("Nothing was signed yet, so nothing is lost.")
    last, note = remembered
    done = named(note)
    if last.size <= size - int(done):
        raise OriginRefused(
            "Nothing is lost: the database reaches the highest checkpoint, so the log goes on as it is."
        )
    require_signed(size)
    number = len(signing.key_history().ended_origins()) + 1
    write_durably(signing.ended_path(number), note, replace=True)
    if not done:
        write_named(last, note)
    return number


def move(name: str, number: int) -> None:
    """Let the new origin sign from the entry on that names the old note."""
    last = signing.key_history().verify(signing.ended_note(number) or "")
    fresh = prepared_key(name)
    signing.write_history(
        signing.key_history().moved(
            fresh.verifier, size=tree_size() - 1, last=last.size, at=timezone.now()
        )
    )


def note_tag(note: str) -> bytes:
    """How the entry names the old note in its object field."""
    return sha256(note.encode()).digest()


def named(note: str) -> bool:
    """Whether the entry that names the old note has its place."""
    return placed(Action.LOG_NEW_ORIGIN, note_tag(note))


def write_named(last: Checkpoint, note: str) -> None:
    """Give the entry that names the old note the next place, before everything that waits."""
    detail = {"origin": last.origin, "size": last.size, "root": last.root.hex()}
    draft = Draft(
        action=Action.LOG_NEW_ORIGIN,
        actor=ACTOR,
        object_tag=note_tag(note),
        detail=json.dumps(detail, separators=(",", ":")).encode(),
    )
    entry, leaf, body = prepare(draft)
    row = PendingEntry(entry_id=entry.id, created=entry.time, leaf_hash=leaf, body=body)
    with transaction.atomic():
        row.save(force_insert=True)
        give_places([row])
