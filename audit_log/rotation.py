"""A new signing key for the log, and the end of an old one.

The order makes a kill at any step harmless; the same call then goes on where it stopped:

1. the new private key is written beside the old one; the history does not know it yet;
2. an entry names it, and is signed by the old key alone;
3. that checkpoint is kept beside the keys, so that whoever knows the old key can learn the new one;
4. the history is replaced: from the next size on, both keys sign every checkpoint.

An old key ends the same way: an entry, the history, and only then the private key is destroyed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from hashlib import sha256

from django.utils import timezone

from audit_log import signing
from audit_log.actions import Action
from audit_log.checkpoint import SignerKey, VerifierKey
from audit_log.durable_files import write_durably
from audit_log.entries import Draft
from audit_log.errors import RotationRefused
from audit_log.key_history import KeyHistory
from audit_log.log import append_durable
from audit_log.models import LogEntry, PendingEntry
from audit_log.sequencer import exclusive, integrate_once, publish
from audit_log.tree import tree_size

ACTOR = "system:setup"
WINDOW = timedelta(days=30)
WAIT = 30.0  # seconds, for the keeper's sequencer and for the entry's place
POLL = 0.05


def rotate(window: timedelta = WINDOW) -> KeyHistory:
    """Let a new key sign; the old one signs beside it for the window, and is destroyed after it.

    A window of zero destroys the old key at once. Raises RotationRefused while the window of an
    earlier rotation lasts, or when the entry finds no place in the log.
    """
    with signing.key_lock():
        if signing.key_history().in_window():
            raise RotationRefused(
                "An older key still signs beside the current one: end its window first "
                "(manage.py log_key retire)."
            )
        fresh = prepared_key(signing.public_key().name)
        until = timezone.now() + window
        detail = {"key": str(fresh.verifier), "until": until.isoformat()}
        tag = note_once(Action.LOG_KEY_ROTATE, fresh.verifier, detail)
        with settled(Action.LOG_KEY_ROTATE, tag):
            keep_handover(fresh.verifier)
            history = signing.key_history()
            signing.write_history(
                history.rotated(fresh.verifier, size=tree_size(), at=timezone.now(), until=until)
            )
        # Another size is needed for another note: nobody should wait for it who only knows the new key.
        note_once(Action.LOG_KEY_START, fresh.verifier, {"key": str(fresh.verifier)})
        integrate_once()
        if not window:
            end_keys([signing.key_history().records[1].key])
        return signing.key_history()


def keep_handover(key: VerifierKey) -> None:
    """Keep the checkpoint that the older key signed alone, of the tree whose entries name this one."""
    remembered = signing.highest_checkpoint()
    if remembered is None or remembered[0].size != tree_size():
        raise RotationRefused("The tree is not signed up to its end.")
    write_durably(signing.handover_path(key), remembered[1], replace=True)


def retire() -> list[VerifierKey]:
    """End the window of a rotation now: the older key signs no more and is destroyed. Safe to repeat.

    Works without the older private key, too: who lost it ends its window this way.
    """
    with signing.key_lock():
        keys = [record.key for record in signing.key_history().in_window()]
        end_keys(keys)
        return keys


def end_windows() -> int:
    """Destroy the keys whose window is over, and what a kill has left of ended ones; how many ended."""
    now, history = timezone.now(), signing.key_history()
    over = [r.key for r in history.in_window() if r.until and r.until <= now]
    if not over and not leftovers(history) and not signing.has_leftovers():
        return 0
    with signing.key_lock():
        end_keys(over)
    return len(over)


def end_keys(keys: list[VerifierKey]) -> None:
    """Let older keys sign no more: an entry, the history, then the private keys."""
    for key in keys:
        note_once(Action.LOG_KEY_DESTROY, key, {"key": str(key)})
    if keys:
        with sequencing():
            remembered = signing.highest_checkpoint()
            size = remembered[0].size if remembered else 0
            history = signing.key_history()
            signing.write_history(history.without(keys, size=size, at=timezone.now()))
    gone = leftovers(signing.key_history())
    signing.destroy_leftovers()
    if gone:
        signing.write_secrets([key for key in signing.read_secrets() if key not in gone])


def leftovers(history: KeyHistory) -> list[SignerKey]:
    """Private keys that still lie here although they sign no more."""
    ended = {str(record.key) for record in history.records if record.ended}
    return [key for key in signing.read_secrets() if str(key.verifier) in ended]


def prepared_key(origin: str) -> SignerKey:
    """A new private key on disk that no history knows yet; one that a kill left is taken."""
    known = {str(record.key) for record in signing.key_history().records}
    signing.destroy_leftovers()
    here = signing.read_secrets()
    for key in here:
        if str(key.verifier) not in known and key.name == origin:
            return key
    fresh = SignerKey.generate(origin)
    signing.write_secrets([*here, fresh])
    return fresh


def key_tag(key: VerifierKey) -> bytes:
    """How an entry names a key in its object field: SHA-256 of the verifier key's text."""
    return sha256(str(key).encode()).digest()


def note_once(action: Action, key: VerifierKey, detail: dict[str, str]) -> bytes:
    """Write the entry of a step on a key unless it is written; the tag by which it is found."""
    tag = key_tag(key)
    if not written(action, tag):
        body = json.dumps(detail, separators=(",", ":")).encode()
        append_durable(Draft(action=action, actor=ACTOR, object_tag=tag, detail=body))
    return tag


def written(action: Action, tag: bytes) -> bool:
    """Whether such an entry stands in the log or waits for its place."""
    mark = f'"object":"{tag.hex()}"'.encode()
    name = f'"action":"{action.value}"'.encode()
    bodies = PendingEntry.objects.values_list("body", flat=True)
    return placed(action, tag) or any(mark in body and name in body for body in bodies)


def placed(action: Action, tag: bytes) -> bool:
    """Whether such an entry has a place in the tree."""
    return LogEntry.objects.about_object([tag]).filter(action=action).exists()


@contextmanager
def settled(action: Action, tag: bytes) -> Iterator[None]:
    """Be the only sequencer, with this entry in the tree and the whole tree signed.

    Raises RotationRefused when that does not come to be within half a minute.
    """

    def in_the_tree() -> bool:
        integrate_once()
        return placed(action, tag)

    with sequencing(in_the_tree):
        publish()
        yield


@contextmanager
def sequencing(ready: Callable[[], bool] = lambda: True) -> Iterator[None]:
    """Be the only sequencer once something is ready; raises RotationRefused after half a minute."""
    deadline = time.monotonic() + WAIT
    while time.monotonic() < deadline:
        if ready():
            with exclusive() as mine:
                if mine:
                    yield
                    return
        time.sleep(POLL)
    raise RotationRefused("The log's sequencer does not come to rest; see /readyz.")
