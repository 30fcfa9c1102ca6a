"""Putting a backup back, so that nothing lives again that has ended since.

The order makes a kill anywhere harmless: a mark is set before the data are placed, nothing starts while it
is there, and every step after it can be repeated. The living keystore is never replaced; root keys and the
log's files come from where the operator kept them.
"""

from __future__ import annotations

import json
import tarfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import pyrage
from django.conf import settings
from django.core.management import call_command

from audit_log import signing
from audit_log.actions import Action
from audit_log.durable_files import sync_folder, write_durably
from audit_log.entries import Draft
from audit_log.export import exported_checkpoint
from audit_log.log import append_durable
from audit_log.models import LogEntry, PendingEntry
from audit_log.origins import begin_origin, is_begun, require_new_origin
from audit_log.replay import replay
from audit_log.sequencer import integrate_once
from audit_log.storage import Folder
from audit_log.tree import tree_size
from consent.after_restore import Reapplied, reapply
from emotion.backups import ACTOR
from emotion.cohort import spend_again
from emotion.dead_rows import remove_dead
from emotion.disputed_after_restore import dispute_again
from emotion.errors import BackupFailed
from emotion.given_up import end_all_unfinished
from emotion.lost_keystore import require_no_keystore
from emotion.lost_log import Closed, close_ended, close_everything
from emotion.opened_backups import copied, member, opened
from emotion.snapshots import is_sqlite, put_back
from emotion.unfinished import alone
from emotion.upgrades import restoring_mark
from vault.setup import is_empty, require_current


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a restore did.

    Fields:
        made_at: when the backup was made, as it says itself; replayed: log entries from after it.
        recordings: how many lost rows or files because their keys are dead.
        disputes: of how many recordings they were opened, taken back or answered again.
        closed: what was closed because it was ended since, or may have been.
        holds, periods: how many legal holds were placed and periods shortened since, to be set again.
    """

    made_at: str
    replayed: int
    recordings: int
    disputes: int
    closed: Closed
    holds: int
    periods: int
    again: Reapplied


@alone()
def restore(
    data: Path,
    log: Path | None,
    identities: list[pyrage.x25519.Identity],
    keystore: Path | None = None,
    new_origin: str = "",
) -> Report:
    """Put back the data of a backup, and the keystore's if that is lost; then what happened since.

    ``new_origin`` is for when no export reaches the highest checkpoint: what the log said after ``log``,
    or after the backup, is lost. Then whatever may have been ended since is closed, every consent is
    paused, and the log goes on under that name.

    Raises BackupFailed before anything is placed when a part is missing, does not fit or is not empty;
    AuditLogError when the log does not fit, and VaultError when the keys do not, in which case the mark
    stays and nothing starts.
    """
    require_log(log, new_origin)
    require_places(keystore)
    with ExitStack() as stack:
        archive, manifest, path = stack.enter_context(opened(data, identities, "default"))
        wraps = None
        if is_empty("keystore") and keystore is not None:
            _, _, wraps = stack.enter_context(opened(keystore, identities, "keystore"))
        else:
            require_current()
        # Before anything is placed: an older keystore has keys again that are dead.
        write_durably(restoring_mark(), "", replace=False)
        if wraps:
            put_back("keystore", wraps)
            require_current()
        if is_sqlite("default") or is_empty("default"):
            put_back("default", path)
            write_durably(restoring_mark(), "", replace=True)
        place_blobs(archive)
    call_command("migrate", database="default", verbosity=0, interactive=False)
    return bring_up(str(manifest["made_at"]), log, new_origin)


def bring_up(made_at: str, log: Path | None, new_origin: str) -> Report:
    """Let the restored data follow what happened since they were copied."""
    known = known_entries()
    replayed = replay(log, to_the_end=not new_origin) if log else 0
    later = LogEntry.objects.filter(index__gte=known.size).exclude(entry_id__in=known.waiting)
    again = reapply(later)
    disputes = dispute_again(later)
    spend_again()
    closed = close_everything() if new_origin else close_ended(later)
    end_all_unfinished()
    report = Report(
        made_at=made_at,
        replayed=replayed,
        recordings=remove_dead(),
        disputes=disputes,
        closed=closed,
        holds=later.filter(action=Action.HOLD_PLACE).count(),
        periods=later.filter(action=Action.PURPOSE_SHORTEN).count(),
        again=again,
    )
    detail = {"made_at": made_at, "log": known.size, "replayed": replayed}
    body = json.dumps(detail, separators=(",", ":")).encode()
    append_durable(Draft(action=Action.BACKUP_RESTORE, actor=ACTOR, detail=body))
    if new_origin:
        begin_origin(new_origin)
    # Before anything new is signed: with a higher checkpoint the export would no longer reach the end,
    # and the call after a kill could not finish.
    restoring_mark().unlink()
    integrate_once()
    return report


@dataclass(frozen=True)
class Known:
    """What the backup had of the log: so many entries with a place, and these without one."""

    size: int
    waiting: list[str]


def known_entries() -> Known:
    """Counted before anything is replayed, and written into the mark for the call after a kill."""
    written = restoring_mark().read_text()
    if written:
        return Known(**json.loads(written))
    waiting = PendingEntry.objects.values_list("entry_id", flat=True)
    known = Known(tree_size(), [str(entry_id) for entry_id in waiting])
    write_durably(restoring_mark(), json.dumps(asdict(known)), replace=True)
    return known


def require_places(keystore: Path | None) -> None:
    """Raise BackupFailed where something would be replaced, unless an earlier call placed it."""
    if not restoring_mark().exists():
        if keystore is not None:
            require_no_keystore()
        if not is_empty("default"):
            raise BackupFailed(
                "the main database is not empty; a backup is put back only where nothing is"
            )
    if keystore is None and is_empty("keystore"):
        raise BackupFailed("the keystore is empty or missing; put it back first: --keystore FILE")


def require_log(log: Path | None, new_origin: str) -> None:
    """Raise BackupFailed unless the folder reaches the highest checkpoint ever signed.

    With a new origin it must not: as long as a copy reaches that far, nothing is lost.
    """
    tree = exported_checkpoint(Folder(log)) if log else None
    remembered = signing.highest_checkpoint()
    if log and tree is None:
        raise BackupFailed(f"{log} holds no exported log; what ended since the backup stands there")
    reaches = tree is not None and (not remembered or remembered[0].size <= tree.size)
    if new_origin:
        require_new_origin(new_origin)
        if reaches and not is_begun(new_origin):
            raise BackupFailed(f"{log} reaches the end of the log: restore without a new origin")
    elif not reaches:
        raise BackupFailed(
            f"{log} ends at {tree.size if tree else 0} entries, but "
            f"{remembered[0].size if remembered else 0} were signed: a later export is "
            "needed, else the log would be forked and what people ended since would live again. If there "
            "is none anywhere: --new-origin NAME"
        )


def place_blobs(archive: tarfile.TarFile) -> None:
    """Put sealed files where they were; one that is there stays. Each is bound to its row and key."""
    root = Path(settings.BLOB_DIR)
    for info in archive:
        parts = Path(info.name).parts
        if not info.isfile() or len(parts) != 3 or parts[0] != "blobs" or ".." in parts:
            continue
        target = root / parts[1] / parts[2]
        if target.exists():
            continue
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = target.with_name(f".{target.name}.restored")
        fresh.unlink(missing_ok=True)
        copied(member(archive, info.name), fresh)
        fresh.chmod(0o600)
        fresh.replace(target)
        sync_folder(target.parent)
