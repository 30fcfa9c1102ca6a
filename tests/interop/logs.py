"""A real log, exported at several sizes, and what is asked about each export."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from audit_log import merkle, signing
from audit_log.actions import Action, Outcome, ReasonCode
from audit_log.checkpoint import Checkpoint as SignedTree
from audit_log.checkpoint import sign
from audit_log.entries import Draft
from audit_log.export import export_log, exported_checkpoint, exported_entries
from audit_log.exported_keys import key_files
from audit_log.log import append_durable, prepare
from audit_log.proofs import InclusionProof
from audit_log.sequencer import integrate_once
from audit_log.storage import Folder
from audit_log.tiles import LEVEL_BITS, WIDTH, Tile, bundle, tiles_between

# These went through the database and the sequencer, in this order; the last one continues them.
SEQUENCED = (1, 2, 3, 255, 256, 257)
LARGEST = 70_000
SIZES = (*SEQUENCED, LARGEST)
# In the log of 70,000 a verifier that reads tiles by need has been seen to accept this one forged.
BLIND_SPOT = 25_600


def draft(number: int) -> Draft:
    """Entries of several lengths."""
    return Draft(
        action=(Action.RESULT_READ, Action.MEDIA_UPLOAD, Action.LOGIN_FAIL)[number % 3],
        actor=("system:worker", f"operator:{UUID(int=number % 7)}", "anonymous")[number % 3],
        outcome=Outcome.REFUSED if number % 5 == 0 else Outcome.OK,
        reason=ReasonCode.NO_CONSENT if number % 5 == 0 else None,
        subject_tag=number.to_bytes(32, "big") if number % 3 else b"",
        detail=b"d" * (number % 11),
    )


def make(folder: Path) -> None:
    """The exports of one growing log, and its key, below ``folder``."""
    size = 0
    for wanted in SEQUENCED:
        for number in range(size, wanted):
            append_durable(draft(number))
        integrate_once()
        size = wanted
        export_log(Folder(folder / str(wanted)))
    bodies = list(exported_entries(Folder(folder / str(size)), 0, size))
    bodies += [prepare(draft(number))[0].canonical() for number in range(size, LARGEST)]
    lay_out(bodies, folder / str(LARGEST))
    (folder / "key").write_text(signing.verifier_key())


def lay_out(bodies: Sequence[bytes], folder: Path) -> None:
    """An export of these entries: 70,000 of them take the sequencer longer than all tests here."""
    frontier, stored = merkle.Frontier(), []
    for body in bodies:
        stored += frontier.add(merkle.leaf_hash(body))
    for tile in tiles_between(0, len(bodies)):
        path = folder / tile.path
        path.parent.mkdir(parents=True, exist_ok=True)
        places = range(tile.first, tile.first + tile.width)
        if tile.level is None:
            path.write_bytes(bundle([bodies[index] for index in places]))
        else:
            level = tile.level * LEVEL_BITS
            path.write_bytes(b"".join(stored[merkle.position(level, i)] for i in places))
    for name, data in key_files().items():
        (folder / name).write_bytes(data)
    key = signing.signer_key()
    note = sign(SignedTree(key.name, len(bodies), frontier.root()), key)
    (folder / "checkpoint").write_text(note)


@dataclass(frozen=True)
class Log:
    """One export."""

    folder: Path
    size: int

    def bodies(self) -> list[bytes]:
        return list(exported_entries(Folder(self.folder), 0, self.size))

    def changed(self, to: Path) -> Log:
        """A copy to do harm to; what stays as it is costs nothing."""
        shutil.copytree(self.folder, to, copy_function=_link)
        return Log(to, self.size)


def _link(source: str, target: str) -> None:
    Path(target).hardlink_to(source)


class Tiles:
    """Nodes out of the hash tiles as they lie there: what somebody without the database has."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.known: dict[merkle.Node, bytes] = {}

    def __call__(self, nodes: Sequence[merkle.Node]) -> list[bytes]:
        return [self.hash(*node) for node in nodes]

    def hash(self, level: int, index: int) -> bytes:
        if (level, index) not in self.known and level % LEVEL_BITS:
            children = self([(level - 1, 2 * index), (level - 1, 2 * index + 1)])
            self.known[level, index] = merkle.node_hash(*children)
        elif (level, index) not in self.known:
            number = index // WIDTH
            has = min(WIDTH, (self.log.size >> level) - number * WIDTH)
            tile = Tile(level // LEVEL_BITS, number, has)
            data = (self.log.folder / tile.path).read_bytes()
            for at in range(has):
                self.known[level, tile.first + at] = data[32 * at : 32 * at + 32]
        return self.known[level, index]


def places(size: int) -> list[int]:
    """Which entries are proven: all of a small log, the edges and some more of a large one."""
    if size <= WIDTH + 1:
        return list(range(size))
    edges = {0, 1, 255, 256, 65_535, 65_536, size - 2, size - 1}
    return sorted(edges | {BLIND_SPOT, BLIND_SPOT ^ 1} | set(range(0, size, 997)))


def cases(log: Log, old: Sequence[Log], file: Path, also: Sequence[int] = ()) -> Path:
    """Inclusion proofs of its entries and consistency proofs with earlier exports, for all verifiers."""
    bodies, note = log.bodies(), (log.folder / "checkpoint").read_text()
    read = Tiles(log)
    inclusion, receipts = [], []
    for index in sorted({*places(log.size), *also}):
        proof = merkle.inclusion_proof(index, log.size, read)
        inclusion.append(
            {"Index": index, "Entry": text(bodies[index]), "Proof": [*map(text, proof)]}
        )
        receipt = InclusionProof(
            entry_id=UUID(int=0), body=b"", leaf_hash=b"", index=index, size=log.size,
            hashes=proof, root=b"", note=note,
        )  # fmt: skip
        receipts.append({"entry": text(bodies[index]), "proof": receipt.text()})
    found: dict[str, Any] = {
        "Inclusion": inclusion,
        "Consistency": [continued(each, log, read) for each in old if each.size <= log.size],
        "Receipt": receipts,
    }
    file.write_text(json.dumps(found))
    return file


def continued(old: Log, log: Log, read: Tiles) -> dict[str, Any]:
    """That a log continues an earlier export of it."""
    tree = exported_checkpoint(Folder(old.folder))
    assert tree is not None
    proof = merkle.consistency_proof(old.size, log.size, read)
    return {"Old": old.size, "Root": text(tree.root), "Proof": [*map(text, proof)]}


def text(value: bytes) -> str:
    return base64.b64encode(value).decode()
