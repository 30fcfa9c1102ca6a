"""One flipped bit anywhere in an export of 300 entries is found, by both of our verifiers.

Every byte of the checkpoint and of the hash tiles is flipped for real and the whole export verified. An
entry bundle has a hundred thousand bytes, so most of them are judged by the step that finds them (the
bundle's parser, then the leaf hash under its proof), and every 97th by the whole verification.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from audit_log import signing
from audit_log.errors import ExportInvalid
from audit_log.export import export_log, verify_export
from audit_log.log import append_durable
from audit_log.merkle import InvalidProof, inclusion_proof, leaf_hash, verify_inclusion
from audit_log.sequencer import integrate_once
from audit_log.storage import Folder
from audit_log.tiles import InvalidBundle, read_bundle
from tests.interop.logs import Log, Tiles, draft
from tools import verify_access_log

SIZE = 300
STRIDE = 97  # prime to the lengths of entries, so that it meets all their parts
Finds = Callable[[Path], bool]


@pytest.fixture
def log(fresh_db: None, tmp_path: Path) -> Log:
    for number in range(SIZE):
        append_durable(draft(number))
    integrate_once()
    export_log(Folder(tmp_path / "log"))
    return Log(tmp_path / "log", SIZE)


def found_by_verify_log(folder: Path) -> bool:
    try:
        verify_export(Folder(folder))
    except ExportInvalid:
        return True
    return False


def found_by_one_file(folder: Path) -> bool:
    key = verify_access_log.read_key(signing.verifier_key())
    try:
        verify_access_log.verify_export(folder, [key])
    except verify_access_log.NotVerified:
        return True
    return False


@pytest.fixture(params=[found_by_verify_log, found_by_one_file])
def finds(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Finds:
    # The same honest entries are parsed again and again; what they say does not change.
    remembering = functools.lru_cache(1000)(verify_access_log.read_entry)
    monkeypatch.setattr(verify_access_log, "read_entry", remembering)
    found: Finds = request.param
    return found


def bit_of(at: int) -> int:
    """Which bit of a byte is flipped: each of them somewhere."""
    return (at * 5 + at // 8) % 8


@contextlib.contextmanager
def flipped(path: Path, at: int) -> Iterator[None]:
    """A file with one bit changed, and as it was afterwards."""
    bit = bit_of(at)
    with path.open("r+b", buffering=0) as file:
        file.seek(at)
        was = file.read(1)
        file.seek(at)
        file.write(bytes([was[0] ^ 1 << bit]))
        yield
        file.seek(at)
        file.write(was)


def files(log: Log, *parts: str) -> list[Path]:
    return sorted(path for path in log.folder.joinpath(*parts).rglob("*") if path.is_file())


def test_in_the_checkpoint_and_the_hash_tiles(log: Log, finds: Finds) -> None:
    paths = [log.folder / "checkpoint", *files(log, "tile", "0"), *files(log, "tile", "1")]
    assert sum(path.stat().st_size for path in paths[1:]) == 32 * (SIZE + 1)
    missed = []
    for path in paths:
        for at in range(path.stat().st_size):
            with flipped(path, at):
                missed += [] if finds(log.folder) else [(path, at)]
    assert missed == []
    assert not finds(log.folder)


def test_in_the_entries_by_the_whole_verification(log: Log, finds: Finds) -> None:
    missed = []
    for path in files(log, "tile", "entries"):
        data, start = path.read_bytes(), 0
        lengths = []
        for body in read_bundle(data):
            lengths += [start, start + 1]
            start += 2 + len(body)
        for at in {*range(0, len(data), STRIDE), *lengths}:
            with flipped(path, at):
                missed += [] if finds(log.folder) else [(path, at)]
    assert missed == []


def test_in_every_byte_of_the_entries(log: Log) -> None:
    bodies, read = log.bodies(), Tiles(log)
    root = verify_export(Folder(log.folder)).root
    proofs = [inclusion_proof(index, SIZE, read) for index in range(SIZE)]
    looked_at = 0
    first = 0
    for path in files(log, "tile", "entries"):
        data = path.read_bytes()
        honest = read_bundle(data)
        for at in range(len(data)):
            changed = bytearray(data)
            changed[at] ^= 1 << bit_of(at)
            assert found(bytes(changed), honest, bodies, first, proofs, root), (path, at)
            looked_at += 1
        first += len(honest)
    assert looked_at == sum(2 + len(body) for body in bodies)


def found(
    data: bytes,
    honest: list[bytes],
    bodies: list[bytes],
    first: int,
    proofs: list[list[bytes]],
    root: bytes,
) -> bool:
    """Whether the parser refuses the bundle, or an entry in it is not under the signed root."""
    try:
        entries = read_bundle(data)
    except InvalidBundle:
        return True
    if len(entries) != len(honest):
        return True
    for index, entry in enumerate(entries, first):
        if entry != bodies[index]:
            try:
                verify_inclusion(leaf_hash(entry), index, SIZE, proofs[index], root)
            except InvalidProof:
                return True
    return False
