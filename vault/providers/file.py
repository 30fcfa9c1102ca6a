"""Epoch keys as files of one folder: 32 random bytes each, mode 0600, in a folder of mode 0700.

The folder lies outside ``var/`` and outside every backup of the databases. Whoever can read it and
a copy of the keystore can open everything, so a mode or an owner that lets others in is refused.

A wrapped key is ``0x01 ‖ nonce(12) ‖ AES-256-GCM(key)(32 + 16)``. Nonces are random; an epoch wraps
far fewer than the 2³² keys that NIST SP 800-38D allows.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from audit_log.durable_files import sync_folder
from vault.errors import InsecureKeyFile, RootKeyMissing, WrongRootKey

KEY_BYTES = 32
NONCE_BYTES = 12
WRAP_VERSION = b"\x01"


class FileProvider:
    """One folder of epoch keys on this machine."""

    remote = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, epoch_id: UUID) -> Path:
        """The file of one epoch."""
        return self.folder / f"{epoch_id}.key"

    def place(self, epoch_id: UUID) -> str:
        """The file, in which whoever copies the folder finds it."""
        return str(self.path(epoch_id))

    def has_keys(self) -> bool:
        """Whether there is a key file."""
        return any(self.folder.glob("*.key"))

    def create(self, epoch_id: UUID) -> None:
        """Make the key file, complete and on disk before it has its name."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.check_folder()
        target = self.path(epoch_id)
        fresh = self.folder / f".{epoch_id}.{os.urandom(8).hex()}.new"
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(os.urandom(KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
            # A link, unlike a rename, never replaces a key that another process made first.
            target.hardlink_to(fresh)
        except FileExistsError:
            self.read(epoch_id)
        finally:
            fresh.unlink()
        sync_folder(self.folder)

    def wrap(self, epoch_id: UUID, key: bytes, aad: bytes) -> bytes:
        """``key`` under the epoch's key, bound to ``aad``."""
        return sealed(self.read(epoch_id), key, aad)

    def unwrap(self, epoch_id: UUID, wrapped: bytes, aad: bytes) -> bytes:
        """The key again; raises WrongRootKey when it does not open."""
        return opened(self.read(epoch_id), epoch_id, wrapped, aad)

    def rewrap(
        self, old: UUID, new: UUID, keys: Sequence[tuple[bytes, bytes, bytes]]
    ) -> list[bytes]:
        """Wrapped keys moved from one epoch to another, and tried there."""
        before, after = self.read(old), self.read(new)
        moved = []
        for wrapped, aad, to in keys:
            key = opened(before, old, wrapped, aad)
            moved.append(sealed(after, key, to))
            if opened(after, new, moved[-1], to) != key:
                raise WrongRootKey(f"what was wrapped under epoch {new} does not open again")
        return moved

    def destroy(self, epoch_id: UUID) -> None:
        """Overwrite the key file, remove it, and wait until the folder says so on disk.

        The overwriting is worth something on plain disks only; copy-on-write file systems and SSDs
        may keep the old block until they reuse it.
        """
        path = self.path(epoch_id)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            return
        with os.fdopen(handle, "wb") as file:
            file.write(os.urandom(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        path.unlink(missing_ok=True)  # another process may be destroying it too
        sync_folder(self.folder)

    def read(self, epoch_id: UUID) -> bytes:
        """The key itself; raises RootKeyMissing or InsecureKeyFile."""
        self.check_folder()
        path = self.path(epoch_id)
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            raise RootKeyMissing(
                f"the key of epoch {epoch_id} is not there: expected the file {path}"
            ) from None
        except OSError as error:
            raise InsecureKeyFile(f"{path} cannot be opened as a plain file: {error}") from None
        with os.fdopen(handle, "rb") as file:
            self.check_file(path, os.fstat(file.fileno()))
            return file.read()

    def check_folder(self) -> None:
        """Raises RootKeyMissing without the folder, InsecureKeyFile when others can enter it."""
        try:
            found = self.folder.stat()
        except FileNotFoundError:
            raise RootKeyMissing(f"the folder of epoch keys is missing: {self.folder}") from None
        require(self.folder, found, 0o700)

    def check_file(self, path: Path, found: os.stat_result) -> None:
        """Raises InsecureKeyFile unless it is a private plain file of 32 bytes."""
        require(path, found, 0o600)
        if not stat.S_ISREG(found.st_mode) or found.st_size != KEY_BYTES:
            raise InsecureKeyFile(
                f"{path}: expected a file of {KEY_BYTES} bytes, got {found.st_size}"
            )


def sealed(epoch_key: bytes, key: bytes, aad: bytes) -> bytes:
    """``key`` under an epoch's key."""
    nonce = os.urandom(NONCE_BYTES)
    return WRAP_VERSION + nonce + AESGCM(epoch_key).encrypt(nonce, key, aad)


def opened(epoch_key: bytes, epoch_id: UUID, wrapped: bytes, aad: bytes) -> bytes:
    """The key again; raises WrongRootKey when it does not open."""
    if wrapped[:1] != WRAP_VERSION:
        raise WrongRootKey(f"expected a wrapped key of version 1, got {wrapped[:1].hex()!r}")
    nonce, body = wrapped[1 : 1 + NONCE_BYTES], wrapped[1 + NONCE_BYTES :]
    try:
        return AESGCM(epoch_key).decrypt(nonce, body, aad)
    except (InvalidTag, ValueError):
        raise WrongRootKey(
            f"a key does not open under epoch {epoch_id}: the epoch's key file or the row in "
            "the keystore is not the one it was wrapped with"
        ) from None


def require(path: Path, found: os.stat_result, mode: int) -> None:
    """Raises InsecureKeyFile unless ``path`` is this user's own and has exactly this mode."""
    got = stat.S_IMODE(found.st_mode)
    if got != mode:
        raise InsecureKeyFile(
            f"{path} has mode {got:04o}; expected {mode:04o} (chmod {mode:o} {path})"
        )
    if found.st_uid != os.geteuid():
        raise InsecureKeyFile(
            f"{path} belongs to user {found.st_uid}; expected {os.geteuid()}, who runs this program"
        )
