"""Sealed blobs: media files in the format of C2SP chunked-encryption.

Source: https://c2sp.org/chunked-encryption, instantiated with HKDF-Expand-SHA512 and AES-256-GCM
as ``cryptography.cobblestone`` does. A file is ``salt(24) ‖ commitment(32)`` and then chunks of 16
KiB with a tag of 16 bytes each; the last chunk is shorter, which is how the end is known. The
input key is derived from the data key under the blob label, and the context is the AAD of the row
(``vault.aead.Binding``).

Writing goes through cobblestone. Reading does its own chunks, because a film needs seeking and
cobblestone only reads from start to end. Memory is constant either way, and nothing plain ever
reaches the disk.
"""

from __future__ import annotations

import errno
import hmac
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

from cryptography.cobblestone import Cobblestone256Encryptor
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from audit_log.durable_files import sync_folder
from vault.aead import (
    COMMITMENT_BYTES,
    KEY_BYTES,
    NONCE_BYTES,
    SALT_BYTES,
    TAG_BYTES,
    Label,
    derive,
)
from vault.errors import BlobExists, StorageFull, Tampered

CHUNK_BYTES = 16 * 1024
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
SEALED_CHUNK_BYTES = CHUNK_BYTES + TAG_BYTES
PREFIX_BYTES = SALT_BYTES + COMMITMENT_BYTES
INFO_PREFIX = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\x00"


def input_key(data_key: bytes) -> bytes:
    """The chunked-encryption input key of a data key."""
    return derive(data_key, Label.BLOB, b"", KEY_BYTES)


@contextmanager
def told_when_full() -> Iterator[None]:
    """Raise StorageFull for the errors by which a file system says that nothing more fits."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise StorageFull("there is no room left for sealed media; nothing was stored") from error


class BlobWriter:
    """Seals a stream into a new file: ``write`` as often as needed, then ``commit``.

    The file has a temporary name in the same folder until ``commit``; leaving the ``with`` block
    without it, or ``abort``, removes it. ``size`` is the number of plaintext bytes so far.
    """

    def __init__(self, data_key: bytes, context: bytes, path: Path) -> None:
        if path.exists():
            raise BlobExists(f"a sealed blob is already at {path.name}")
        self.path = path
        self.size = 0
        self._encryptor = Cobblestone256Encryptor(input_key(data_key), context)
        self._temporary = path.parent / f".{path.name}.{os.urandom(8).hex()}.partial"
        with told_when_full():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(self._temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file: io.BufferedWriter | None = os.fdopen(handle, "wb")

    def write(self, chunk: bytes) -> int:
        """Seal some more bytes; how many were taken, which is all of them."""
        with told_when_full():
            self._open_file().write(self._encryptor.update(chunk))
        self.size += len(chunk)
        return len(chunk)

    def commit(self) -> None:
        """Finish the file, make it durable and give it its name."""
        file = self._open_file()
        try:
            with told_when_full():
                file.write(self._encryptor.finalize())
                file.flush()
                os.fsync(file.fileno())
                file.close()
                self._file = None
                self._temporary.replace(self.path)
        except BaseException:
            self.abort()
            raise
        sync_folder(self.path.parent)

    def abort(self) -> None:
        """Throw away what was written; nothing happens after ``commit``."""
        if self._file is not None:
            file, self._file = self._file, None
            with suppress(OSError):  # closing writes what waits, which a full disk refuses again
                file.close()
        self._temporary.unlink(missing_ok=True)

    def _open_file(self) -> io.BufferedWriter:
        if self._file is None:
            raise ValueError("this blob was committed or aborted already")
        return self._file

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.abort()


class BlobReader(io.RawIOBase):
    """A seekable view of a sealed blob: opened, it has been verified to its end.

    Each chunk is authenticated again when it is read, so a file changed after the verification
    gives Tampered, never wrong bytes. One chunk is held in memory. ``size`` is the plaintext's
    length in bytes.
    """

    def __init__(self, data_key: bytes, context: bytes, path: Path) -> None:
        super().__init__()
        self._file = -1
        # Kept open: what was verified is what is read, even when the name goes away meanwhile.
        self._file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            self._sealed_size = os.fstat(self._file).st_size
            self.size = plaintext_size(self._sealed_size)
            self._cipher, self._nonce = self._secrets(input_key(data_key), context)
            self._position = 0
            self._held: tuple[int, bytes] = (-1, b"")
            self._verify()
        except BaseException:
            self.close()
            raise

    def _secrets(self, key: bytes, context: bytes) -> tuple[AESGCM, int]:
        """The message's cipher and base nonce, once the commitment is seen to be right."""
        prefix = os.pread(self._file, PREFIX_BYTES, 0)
        salt, commitment = prefix[:SALT_BYTES], prefix[SALT_BYTES:]
        both = KEY_BYTES + NONCE_BYTES
        info = INFO_PREFIX + salt + context
        secret = HKDFExpand(SHA512(), both + COMMITMENT_BYTES, info).derive(key)
        if not hmac.compare_digest(commitment, secret[both:]):
            raise Tampered("the blob does not belong to this key and this place")
        return AESGCM(secret[:KEY_BYTES]), int.from_bytes(secret[KEY_BYTES:both], "big")

    def _verify(self) -> None:
        for number in range(self._last_chunk + 1):
            self._chunk(number)

    @property
    def _last_chunk(self) -> int:
        return self.size // CHUNK_BYTES

    def _chunk(self, number: int) -> bytes:
        """The plaintext of one chunk; raises Tampered."""
        if self._held[0] != number:
            self._held = (-1, b"")
            start = PREFIX_BYTES + number * SEALED_CHUNK_BYTES
            length = min(SEALED_CHUNK_BYTES, self._sealed_size - start)
            sealed = os.pread(self._file, length, start)
            nonce = (self._nonce ^ number).to_bytes(NONCE_BYTES, "big")
            try:
                self._held = (number, self._cipher.decrypt(nonce, sealed, None))
            except InvalidTag:
                raise Tampered(f"chunk {number} of the blob is not what was sealed") from None
        return self._held[1]

    def readable(self) -> bool:
        """True: this is for reading."""
        return True

    def seekable(self) -> bool:
        """True: any place can be read."""
        return True

    def tell(self) -> int:
        """The position in the plaintext, in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position in the plaintext; past the end there is nothing to read."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        if start + offset < 0:
            raise ValueError(f"expected a position of at least 0, got {start + offset}")
        self._position = start + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer`` from one chunk; how many bytes, 0 at the end."""
        if self.closed:
            raise ValueError("this blob was closed")
        view = memoryview(buffer).cast("B")
        number, offset = divmod(self._position, CHUNK_BYTES)
        if number > self._last_chunk:
            return 0
        part = self._chunk(number)[offset : offset + len(view)]
        view[: len(part)] = part
        self._position += len(part)
        return len(part)

    def close(self) -> None:
        """Close the file and let go of what was held."""
        if not self.closed:
            self._held = (-1, b"")
            if self._file >= 0:
                os.close(self._file)
        super().close()

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("an open blob is not to be copied or stored")


def plaintext_size(sealed_size: int) -> int:
    """The plaintext bytes in a blob of this size; raises Tampered for an impossible size."""
    chunks, rest = divmod(sealed_size - PREFIX_BYTES, SEALED_CHUNK_BYTES)
    if sealed_size < PREFIX_BYTES or rest < TAG_BYTES:
        raise Tampered(f"a blob of {sealed_size} bytes is cut off: its last chunk is missing")
    return chunks * CHUNK_BYTES + rest - TAG_BYTES
