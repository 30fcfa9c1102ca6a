"""Verifiers that nobody here wrote agree with ours: on what a log is, and on what none is.

The forgeries are those of an operator who has everything but an honest past: entries, tiles and proofs
are changed together, under the checkpoint that others hold or under a new one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from audit_log.checkpoint import Checkpoint, SignerKey, sign
from audit_log.merkle import leaf_hash, root_of
from audit_log.signing import public_key
from audit_log.tiles import WIDTH, Tile, bundle, read_bundle
from tests.interop.logs import BLIND_SPOT, LARGEST, SIZES, Log, cases
from tests.interop.verifiers import Verifier

pytestmark = pytest.mark.outside
Exports = dict[int, Log]


def path_of(log: Log, level: int | None, number: int) -> Path:
    has = (log.size >> 8 * (level or 0)) - number * WIDTH
    return log.folder / Tile(level, number, min(WIDTH, has)).path


def put(path: Path, data: bytes) -> None:
    """Write a file anew: the honest one is the same file under another name."""
    path.unlink()
    path.write_bytes(data)


@pytest.mark.parametrize("size", SIZES)
def test_everybody_verifies_the_log(
    size: int, verifier: Verifier, exports: Exports, tmp_path: Path
) -> None:
    log = exports[size]
    file = cases(log, list(exports.values()), tmp_path / "cases.json")
    answer = verifier(str(public_key()), log.folder, file)
    assert answer.fits, answer.words


def entry(log: Log) -> None:
    """One entry says something else."""
    path = path_of(log, None, BLIND_SPOT // WIDTH)
    bodies = read_bundle(path.read_bytes())
    at = BLIND_SPOT % WIDTH
    forged = bodies[at].replace(b'"outcome":"refused"', b'"outcome":"ok"')
    assert forged != bodies[at]
    put(path, bundle([*bodies[:at], forged, *bodies[at + 1 :]]))


def leaf(log: Log) -> None:
    """The leaf hash of that entry in its tile, as the entry is now."""
    path, at = path_of(log, 0, BLIND_SPOT // WIDTH), BLIND_SPOT % WIDTH * 32
    data = path.read_bytes()
    put(path, data[:at] + leaf_hash(log.bodies()[BLIND_SPOT]) + data[at + 32 :])


def entry_and_leaf(log: Log) -> None:
    entry(log)
    leaf(log)


def entry_and_all_tiles(log: Log) -> None:
    """The entry, and every hash above it; only the checkpoint is as others hold it."""
    entry_and_leaf(log)
    number = BLIND_SPOT // WIDTH
    above = path_of(log, 1, number // WIDTH)
    data, at = above.read_bytes(), number % WIDTH * 32
    hashes = path_of(log, 0, number).read_bytes()
    root = root_of([hashes[i : i + 32] for i in range(0, len(hashes), 32)])
    put(above, data[:at] + root + data[at + 32 :])
    top = path_of(log, 2, 0)
    hashes = above.read_bytes()
    put(top, root_of([hashes[i : i + 32] for i in range(0, len(hashes), 32)]))


def leaf_bit(log: Log) -> None:
    """One bit of a leaf hash in a tile."""
    flip(path_of(log, 0, BLIND_SPOT // WIDTH), BLIND_SPOT % WIDTH * 32 + 7)


def inner_bit(log: Log) -> None:
    """One bit of a hash one level of tiles above."""
    flip(path_of(log, 1, 0), BLIND_SPOT // WIDTH * 32 + 7)


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0x10
    put(path, bytes(data))


def size_edited(log: Log) -> None:
    path = log.folder / "checkpoint"
    put(path, path.read_bytes().replace(b"\n70000\n", b"\n69999\n"))


def root_edited(log: Log) -> None:
    """The forged entry under its own root, with the honest signature."""
    entry_and_all_tiles(log)
    path = log.folder / "checkpoint"
    lines = path.read_text().split("\n")
    root = root_of(map(leaf_hash, log.bodies()))
    lines[2] = Checkpoint("", 0, root).text().split("\n")[2]
    put(path, "\n".join(lines).encode())


def another_signer(log: Log) -> None:
    """A whole other log that somebody signs under the log's name."""
    entry_and_all_tiles(log)
    name, root = public_key().name, root_of(map(leaf_hash, log.bodies()))
    note = sign(Checkpoint(name, log.size, root), SignerKey.generate(name))
    put(log.folder / "checkpoint", note.encode())


FORGERIES = [
    entry, leaf_bit, inner_bit, entry_and_leaf, entry_and_all_tiles, size_edited, root_edited,
    another_signer,
]  # fmt: skip


@pytest.mark.parametrize("forge", FORGERIES)
def test_nobody_verifies_a_forged_log(
    forge: Callable[[Log], None], verifier: Verifier, exports: Exports, tmp_path: Path
) -> None:
    log = exports[LARGEST].changed(tmp_path / "log")
    forge(log)
    # Proofs made from what lies there now, of entries that need the changed hashes, too.
    wanted = [BLIND_SPOT, BLIND_SPOT ^ 1, BLIND_SPOT ^ WIDTH]
    file = cases(log, [exports[257]], tmp_path / "cases.json", wanted)
    answer = verifier(str(public_key()), log.folder, file)
    assert not answer.fits, answer.words
