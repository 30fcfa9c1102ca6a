"""Sealed blobs: what comes out is what went in, from any place, or nothing at all."""

from __future__ import annotations

import io
import os
import pickle
import stat
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.exceptions import InvalidTag
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.processes import ROOT
from vault.blobs import (
    CHUNK_BYTES,
    PREFIX_BYTES,
    SEALED_CHUNK_BYTES,
    BlobReader,
    BlobWriter,
    input_key,
    plaintext_size,
)
from vault.errors import BlobExists, Tampered

KEY = os.urandom(32)
CONTEXT = b"this row"
PLAIN = os.urandom(3 * CHUNK_BYTES + 100)
SIZES = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES, len(PLAIN)]


def sealed(path: Path, plain: bytes = PLAIN, piece: int = 5000) -> bytes:
    with BlobWriter(KEY, CONTEXT, path) as writer:
        for start in range(0, len(plain), piece):
            writer.write(plain[start : start + piece])
        writer.commit()
    return path.read_bytes()


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "folder" / "film"
    sealed(path)
    return path


@pytest.mark.parametrize("size", SIZES)
def test_blob_opens_again(tmp_path: Path, size: int) -> None:
    body = sealed(tmp_path / "film", PLAIN[:size])
    assert plaintext_size(len(body)) == size
    with BlobReader(KEY, CONTEXT, tmp_path / "film") as reader:
        assert reader.size == size
        assert reader.read() == PLAIN[:size]
        assert reader.read() == b""


@pytest.mark.parametrize("size", SIZES)
def test_cobblestone_reads_what_we_write(tmp_path: Path, size: int) -> None:
    decryptor = Cobblestone256Decryptor(input_key(KEY), CONTEXT)
    body = decryptor.update(sealed(tmp_path / "film", PLAIN[:size]))
    assert body + decryptor.finalize() == PLAIN[:size]


@pytest.mark.parametrize("size", SIZES)
def test_we_read_what_cobblestone_writes(tmp_path: Path, size: int) -> None:
    encryptor = Cobblestone256Encryptor(input_key(KEY), CONTEXT)
    (tmp_path / "film").write_bytes(encryptor.update(PLAIN[:size]) + encryptor.finalize())
    with BlobReader(KEY, CONTEXT, tmp_path / "film") as reader:
        assert reader.read() == PLAIN[:size]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, len(PLAIN) + 10), st.integers(0, 40_000))
def test_any_part_can_be_read(film: Path, start: int, length: int) -> None:
    with io.BufferedReader(BlobReader(KEY, CONTEXT, film)) as reader:
        assert reader.seek(start) == start
        assert reader.read(length) == PLAIN[start : start + length]
        assert reader.tell() == max(start, min(start + length, len(PLAIN)))


def test_seeking_from_the_end_and_from_here(film: Path) -> None:
    with BlobReader(KEY, CONTEXT, film) as reader:
        assert reader.readable() and reader.seekable() and not reader.writable()
        reader.seek(-10, io.SEEK_END)
        assert reader.read() == PLAIN[-10:]
        reader.seek(-20, io.SEEK_CUR)
        assert reader.read(5) == PLAIN[-20:-15]
        with pytest.raises(ValueError, match="at least 0"):
            reader.seek(-1)


def chunk(body: bytes, number: int) -> bytes:
    return body[PREFIX_BYTES + number * SEALED_CHUNK_BYTES :][:SEALED_CHUNK_BYTES]


def damaged(body: bytes) -> dict[str, bytes]:
    prefix, chunks = body[:PREFIX_BYTES], [chunk(body, number) for number in range(4)]
    return {
        "nothing left": b"",
        "cut in the prefix": body[:40],
        "prefix alone": prefix,
        "last byte cut off": body[:-1],
        "last chunk cut off": prefix + b"".join(chunks[:3]),
        "one tag left of the last chunk": prefix + b"".join(chunks[:3]) + chunks[3][:16],
        "cut after the first chunk": prefix + chunks[0],
        "last chunk first": prefix + chunks[3],
        "byte added": body + b"\x00",
        "chunk added": body + chunks[3],
        "empty chunk added": body + bytes(16),
        "chunks swapped": prefix + chunks[1] + chunks[0] + chunks[2] + chunks[3],
        "chunk repeated": prefix + chunks[0] + chunks[0] + chunks[2] + chunks[3],
        "chunk left out": prefix + chunks[0] + chunks[2] + chunks[3],
        "salt changed": bytes([body[0] ^ 1]) + body[1:],
        "commitment changed": body[:30] + bytes([body[30] ^ 1]) + body[31:],
        "first chunk changed": body[:60] + bytes([body[60] ^ 1]) + body[61:],
        "last tag changed": body[:-1] + bytes([body[-1] ^ 1]),
    }


@pytest.mark.parametrize("damage", damaged(bytes(PREFIX_BYTES + 4 * SEALED_CHUNK_BYTES)))
def test_damaged_blob_gives_no_byte(film: Path, damage: str) -> None:
    film.write_bytes(damaged(film.read_bytes())[damage])
    with pytest.raises(Tampered):
        BlobReader(KEY, CONTEXT, film)


def test_another_key_or_place_gives_no_byte(film: Path) -> None:
    for key, context in ((os.urandom(32), CONTEXT), (KEY, b"that row"), (KEY, b"")):
        with pytest.raises(Tampered):
            BlobReader(key, context, film)


def test_data_key_itself_does_not_open_the_file(film: Path) -> None:
    decryptor = Cobblestone256Decryptor(KEY, CONTEXT)
    with pytest.raises(InvalidTag):
        decryptor.update(film.read_bytes())


def test_damage_after_the_verification_is_noticed_too(film: Path) -> None:
    with BlobReader(KEY, CONTEXT, film) as reader:
        with film.open("r+b") as file:
            file.seek(PREFIX_BYTES + SEALED_CHUNK_BYTES + 5)
            file.write(b"changed")
        assert reader.read(100) == PLAIN[:100]
        reader.seek(CHUNK_BYTES)
        with pytest.raises(Tampered, match="chunk 1"):
            reader.read(10)


def test_blob_removed_meanwhile_is_read_to_its_end(film: Path) -> None:
    with BlobReader(KEY, CONTEXT, film) as reader:
        film.unlink()
        assert reader.read() == PLAIN


def test_nothing_plain_is_on_disk_while_writing(tmp_path: Path) -> None:
    path = tmp_path / "film"
    plain = b"a face that can be recognised. " * 5000
    with BlobWriter(KEY, CONTEXT, path) as writer:
        writer.write(plain)
        assert not path.exists()
        (partial,) = tmp_path.iterdir()
        assert stat.S_IMODE(partial.stat().st_mode) == 0o600
        assert b"a face" not in partial.read_bytes()
        writer.commit()
        assert writer.size == len(plain)
    assert [entry.name for entry in tmp_path.iterdir()] == ["film"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"a face" not in path.read_bytes()


def test_blob_not_committed_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), BlobWriter(KEY, CONTEXT, tmp_path / "film") as writer:
        writer.write(PLAIN)
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="committed or aborted"):
        writer.write(b"more")


def test_abort_after_commit_changes_nothing(film: Path, tmp_path: Path) -> None:
    with BlobWriter(KEY, CONTEXT, tmp_path / "other") as writer:
        writer.write(b"x")
        writer.commit()
        writer.abort()
    assert (tmp_path / "other").exists()


def test_commit_that_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    writer = BlobWriter(KEY, CONTEXT, tmp_path / "film")
    writer.write(PLAIN)
    (tmp_path / "film").mkdir()
    with pytest.raises(OSError):
        writer.commit()
    assert [entry.name for entry in tmp_path.iterdir()] == ["film"]
    assert list((tmp_path / "film").iterdir()) == []


def test_blob_is_never_written_over_another(film: Path) -> None:
    before = film.read_bytes()
    with pytest.raises(BlobExists):
        BlobWriter(KEY, CONTEXT, film)
    assert film.read_bytes() == before


def test_link_in_place_of_a_blob_is_not_followed(film: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(film)
    with pytest.raises(OSError):
        BlobReader(KEY, CONTEXT, tmp_path / "link")


def test_missing_blob(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        BlobReader(KEY, CONTEXT, tmp_path / "film")


def test_closed_reader_gives_nothing(film: Path) -> None:
    reader = BlobReader(KEY, CONTEXT, film)
    reader.close()
    reader.close()
    with pytest.raises(ValueError, match="closed"):
        reader.read(1)
    with pytest.raises(ValueError, match="closed"):
        reader.readinto(bytearray(1))


def test_reader_is_not_pickled(film: Path) -> None:
    with BlobReader(KEY, CONTEXT, film) as reader, pytest.raises(TypeError):
        pickle.dumps(reader)


ONE_GIGABYTE = """
import os, re, sys
from pathlib import Path
from vault.blobs import BlobReader, BlobWriter
piece, path = os.urandom(1000 * 1000), Path(sys.argv[1])
with BlobWriter(bytes(32), b"place", path) as writer:
    for _ in range(1000):
        writer.write(piece)
    writer.commit()
with BlobReader(bytes(32), b"place", path) as reader:
    assert reader.size == 1000 * 1000 * 1000
    reader.seek(999 * len(piece))
    assert reader.read(1000) == piece[:1000]
# Of this program alone; ru_maxrss counts what the process was before it began.
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


def test_one_gigabyte_takes_less_than_100_mb_of_process_memory(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ONE_GIGABYTE, str(tmp_path / "film")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    (tmp_path / "film").unlink(missing_ok=True)
    assert done.returncode == 0, done.stderr
    assert 5_000 < int(done.stdout) < 100_000, "KiB at the most"


def test_memory_is_constant(tmp_path: Path) -> None:
    path = tmp_path / "film"
    piece = os.urandom(1024 * 1024)
    tracemalloc.start()
    try:
        with BlobWriter(KEY, CONTEXT, path) as writer:
            for _ in range(32):
                writer.write(piece)
            writer.commit()
        with BlobReader(KEY, CONTEXT, path) as reader:
            reader.seek(20 * len(piece))
            assert reader.read(1000) == piece[:1000]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * len(piece)
