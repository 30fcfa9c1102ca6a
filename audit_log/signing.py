"""The log's signing key and the memory of what was signed, both outside the database.

They lie in ``settings.KEYS_DIR / "log"``: ``signing_key`` (a secret, mode 0600), ``verifier_key``
(public; processes that only publish need no more) and ``highest_checkpoint``. A database restored
from a backup forgets what was signed after it; that file does not.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings

from audit_log.checkpoint import Checkpoint, InvalidNote, SignerKey, VerifierKey, verify
from audit_log.durable_files import write_durably
from audit_log.errors import HistoryMismatch, SigningKeyMissing


def folder() -> Path:
    """Where the log's files lie."""
    return Path(settings.KEYS_DIR) / "log"


def highest_path() -> Path:
    """The file with the highest checkpoint ever signed."""
    return folder() / "highest_checkpoint"


def ensure_key(origin: str | None = None) -> None:
    """Make the signing key once; safe to call at every start and from several processes.

    ``origin`` names the log in its checkpoints: a URL without its scheme, no spaces, no plus. The
    default is the host of SITE_URL with ``/log``. Raises SigningKeyMissing when a key exists under
    another origin than the one asked for (a log keeps its name for life), or when it is gone and its
    public half is still there: a second key would sign another log.
    """
    name = origin or f"{urlsplit(settings.SITE_URL).netloc}/log"
    path = folder() / "signing_key"
    if not path.exists() and (folder() / "verifier_key").exists():
        raise SigningKeyMissing(f"{path} is gone, but this log was signed with it: restore it.")
    try:
        if not path.exists():
            write_durably(path, SignerKey.generate(name).encode() + "\n", replace=False)
    except InvalidNote as error:
        raise SigningKeyMissing(f"{name!r} cannot be an origin: {error}.") from error
    key = signer_key()
    if origin is not None and key.name != origin:
        raise SigningKeyMissing(f"{path} signs as {key.name!r}; expected {origin!r}.")
    write_durably(folder() / "verifier_key", f"{key.verifier}\n", replace=False)


def signer_key() -> SignerKey:
    """The private key. Raises SigningKeyMissing."""
    return read_secret(folder() / "signing_key")


def read_secret(path: Path) -> SignerKey:
    """A private key of the log. Raises SigningKeyMissing when it is absent, open to others or damaged."""
    try:
        mode = path.stat().st_mode & 0o777
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SigningKeyMissing(f"{path}: {type(error).__name__}.") from error
    if mode & 0o077:
        raise SigningKeyMissing(f"{path} has mode {mode:04o}; expected 0600.")
    try:
        return SignerKey.parse(text)
    except InvalidNote as error:
        raise SigningKeyMissing(f"{path}: {error}.") from error


def public_key() -> VerifierKey:
    """The key that checkpoints are verified with. Raises SigningKeyMissing."""
    path = folder() / "verifier_key"
    try:
        return VerifierKey.parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, InvalidNote) as error:
        raise SigningKeyMissing(f"{path}: {error}.") from error


def verifier_key() -> str:
    """The same as text, ``origin+hash+key``, to be given to whoever verifies."""
    return str(public_key())


def highest_checkpoint() -> tuple[Checkpoint, str] | None:
    """The highest checkpoint ever signed here and its note, or None before the first.

    Raises HistoryMismatch when the file is damaged or signed by another key: then nobody knows what
    was promised, and signing on could contradict it.
    """
    path = highest_path()
    try:
        note = path.read_bytes().decode()
        return verify(note, public_key()), note
    except FileNotFoundError:
        return None
    except (UnicodeDecodeError, InvalidNote) as error:
        raise HistoryMismatch(f"{path}: {error}.") from error


def remember(note: str) -> None:
    """Make a note the highest checkpoint, on disk before this returns."""
    write_durably(highest_path(), note, replace=True)
