"""The log's signing keys and the memory of what was signed, both outside the database.

They lie in ``settings.KEYS_DIR / "log"``: ``signing_key`` (secrets, one a line, mode 0600),
``verifier_key`` (public: the history of keys, which alone says which secret counts; processes that
only publish need no more), ``highest_checkpoint``, the checkpoints of each ``handover`` to a new key and
the last ones of ``ended`` origins. A database restored from a backup forgets what was signed after it;
those files do not.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.utils import timezone

from audit_log.checkpoint import Checkpoint, InvalidNote, SignerKey, VerifierKey
from audit_log.durable_files import (
    destroy_half_written,
    half_written,
    overwrite,
    write_durably,
)
from audit_log.errors import HistoryMismatch, SigningKeyMissing
from audit_log.key_history import KeyHistory
from audit_log.models import Checkpoint as CheckpointRow


def folder() -> Path:
    """Where the log's files lie."""
    return Path(settings.KEYS_DIR) / "log"


def secrets_path() -> Path:
    """The file with the private keys."""
    return folder() / "signing_key"


def promise_key_path() -> Path:
    """The file with the private key that promises are signed with."""
    return folder() / "promise_key"


def secret_paths() -> list[Path]:
    """Every file with a private key."""
    return [secrets_path(), promise_key_path()]


def history_path() -> Path:
    """The file with the public keys."""
    return folder() / "verifier_key"


def highest_path() -> Path:
    """The file with the highest checkpoint ever signed."""
    return folder() / "highest_checkpoint"


def ended_path(number: int) -> Path:
    """The file with the last checkpoint of the ``number``-th origin that was ended, from 1."""
    return folder() / "ended" / str(number)


def handover_path(key: VerifierKey) -> Path:
    """The file with the last checkpoint before a key of a rotation signed, which names that key."""
    return folder() / "handover" / key.key_id.hex()


@contextmanager
def key_lock() -> Iterator[None]:
    """Be the only one on this machine who changes keys; waits for its turn."""
    folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder() / ".lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def ensure_key(origin: str | None = None) -> None:
    """Make the signing key once; safe to call at every start and from several processes.

    ``origin`` names the log in its checkpoints: a URL without its scheme, no spaces, no plus. The
    default is the host of SITE_URL with ``/log``. Raises SigningKeyMissing when a key exists under
    another origin than the one asked for (a log keeps its name for life), or when it is gone and its
    public half is still there, or checkpoints that it signed: a second key would sign another log.
    """
    name = origin or f"{urlsplit(settings.SITE_URL).netloc}/log"
    path = secrets_path()
    if not history_path().exists() and CheckpointRow.objects.exists():
        raise SigningKeyMissing(
            f"{history_path()} is gone, but this log was signed: mount or restore {folder()}."
        )
    with key_lock():
        destroy_leftovers()
        make_key(name, path)
    key = signer_key()
    if origin is not None and key.name != origin:
        raise SigningKeyMissing(f"{path} signs as {key.name!r}; expected {origin!r}.")


def make_key(name: str, path: Path) -> None:
    """Make the key and its history where there is neither; the rest of ``ensure_key``."""
    if history_path().exists() and not path.exists():
        raise SigningKeyMissing(f"{path} is gone, but this log was signed with it: restore it.")
    try:
        if not path.exists():
            write_durably(path, SignerKey.generate(name).encode() + "\n", replace=False)
    except InvalidNote as error:
        raise SigningKeyMissing(f"{name!r} cannot be an origin: {error}.") from error
    if not history_path().exists():
        key, *more = read_secrets()
        if more:
            raise SigningKeyMissing(
                f"{history_path()} is gone and tells which key counts: restore it."
            )
        write_durably(
            history_path(), str(KeyHistory.begin(key.verifier, timezone.now())), replace=False
        )


def read_secrets(path: Path | None = None) -> list[SignerKey]:
    """All private keys that are in a file, or in that of the log itself.

    Raises SigningKeyMissing when the file is absent, open to others or damaged.
    """
    path = path or secrets_path()
    try:
        mode = path.stat().st_mode & 0o777
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SigningKeyMissing(f"{path}: {type(error).__name__}.") from error
    if mode & 0o077:
        raise SigningKeyMissing(f"{path} has mode {mode:04o}; expected 0600.")
    try:
        return [SignerKey.parse(line) for line in lines or [""]]
    except InvalidNote as error:
        raise SigningKeyMissing(f"{path}: {error}.") from error


def write_secrets(keys: Sequence[SignerKey]) -> None:
    """Replace the private keys; what is left out is overwritten where it lay (see ``overwrite``)."""
    path = secrets_path()
    handle = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
    with os.fdopen(handle, "wb") as old:
        write_durably(path, "".join(f"{key.encode()}\n" for key in keys), replace=True)
        overwrite(old)


def destroy_leftovers() -> None:
    """Destroy the copies of private keys that kills have left beside their files; under ``key_lock``."""
    for path in secret_paths():
        destroy_half_written(path)


def has_leftovers() -> bool:
    """Whether there are such copies, or a write that is under way."""
    return any(half_written(path) for path in secret_paths())


def signer_keys() -> list[SignerKey]:
    """The private keys that sign now, the current one first. Raises SigningKeyMissing without one."""
    there = {str(key.verifier): key for key in read_secrets()}
    wanted = key_history().signing()
    missing = [str(key) for key in wanted if str(key) not in there]
    if missing:
        raise SigningKeyMissing(
            f"{secrets_path()} has no private key for {missing[0]}: restore it, or if it signs only "
            "in its window, end that with `manage.py log_key retire`."
        )
    return [there[str(key)] for key in wanted]


def signer_key() -> SignerKey:
    """The current private key. Raises SigningKeyMissing when it is absent, open to others or damaged."""
    return signer_keys()[0]


def key_history() -> KeyHistory:
    """The public keys, from the first to today's. Raises SigningKeyMissing."""
    path = history_path()
    try:
        return KeyHistory.parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, InvalidNote) as error:
        raise SigningKeyMissing(f"{path}: {error}.") from error


def write_history(history: KeyHistory) -> None:
    """From now on these keys count."""
    write_durably(history_path(), str(history), replace=True)


def public_key() -> VerifierKey:
    """The key that today's checkpoints are verified with. Raises SigningKeyMissing."""
    return key_history().current


def verifier_key() -> str:
    """The same as text, ``origin+hash+key``, to be given to whoever verifies."""
    return str(public_key())


def highest_checkpoint() -> tuple[Checkpoint, str] | None:
    """The highest checkpoint ever signed here under today's origin and its note, or None before that.

    Raises HistoryMismatch when the file is damaged or signed by another key: then nobody knows what
    was promised, and signing on could contradict it.
    """
    path, history = highest_path(), key_history()
    try:
        note = path.read_bytes().decode()
        tree = history.verify(note)
    except FileNotFoundError:
        return None
    except (UnicodeDecodeError, InvalidNote) as error:
        raise HistoryMismatch(f"{path}: {error}.") from error
    return (tree, note) if tree.origin == history.current.name else None


def remember(note: str) -> None:
    """Make a note the highest checkpoint, on disk before this returns."""
    write_durably(highest_path(), note, replace=True)


def ended_note(number: int) -> str | None:
    """The last checkpoint that the ``number``-th ended origin signed, from 1; None when there is none."""
    return read_note(ended_path(number))


def handover_note(key: VerifierKey) -> str | None:
    """What the key before this one signed last alone; None for a key that no rotation brought."""
    return read_note(handover_path(key))


def read_note(path: Path) -> str | None:
    """A signed note, not verified here; None when there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
