"""Putting back a keystore that alone was lost, so that no key lives again that has died since.

Its backup is older than the main database: what died in between is named there and destroyed again; what
was sealed in between has no key any more, and goes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pyrage

from audit_log.actions import Action
from audit_log.durable_files import write_durably
from audit_log.entries import Draft
from audit_log.log import append_durable
from consent.dead_keys import destroy_again
from emotion.backups import ACTOR
from emotion.dead_rows import remove_dead
from emotion.errors import BackupFailed
from emotion.given_up import end_all_unfinished
from emotion.opened_backups import opened
from emotion.snapshots import put_back
from emotion.unfinished import alone
from emotion.upgrades import keystore_mark, restoring_mark
from vault.setup import is_empty, require_current


@dataclass(frozen=True, kw_only=True)
class KeystoreReport:
    """Of how many data keys one lived again and was destroyed, and how many recordings went without one."""

    made_at: str
    keys: int
    recordings: int


@alone()
def restore_keystore(keystore: Path, identities: list[pyrage.x25519.Identity]) -> KeystoreReport:
    """Put back the keystore beside the main database that is there. A call after a kill goes on.

    Raises BackupFailed before anything is placed; VaultError when the keys do not fit, in which case the
    mark stays and nothing starts.
    """
    if is_empty("default") or restoring_mark().exists():
        raise BackupFailed("the main database is to be restored too: name its backup as well")
    if not keystore_mark().exists():
        require_no_keystore()
    with opened(keystore, identities, "keystore") as (_, manifest, wraps):
        write_durably(keystore_mark(), "", replace=False)
        if is_empty("keystore"):
            put_back("keystore", wraps)
    require_current()
    keys = destroy_again()
    end_all_unfinished()
    made_at = str(manifest["made_at"])
    report = KeystoreReport(made_at=made_at, keys=keys, recordings=remove_dead())
    body = json.dumps({"keystore": made_at, "destroyed": keys}, separators=(",", ":")).encode()
    append_durable(Draft(action=Action.BACKUP_RESTORE, actor=ACTOR, detail=body))
    keystore_mark().unlink()
    return report


def require_no_keystore() -> None:
    """Raise BackupFailed when there is one."""
    if not is_empty("keystore"):
        raise BackupFailed(
            "there is a keystore, and a living one is never replaced by an older one"
        )
