"""Verifies an exported access log with the package pymerkle: ``with_pymerkle.py KEY FOLDER CASES``.

A program of its own, as the other outside verifiers are. pymerkle makes the tree anew from the entries,
verifies the inclusion proofs in CASES, and proves itself that the roots of earlier exports are continued.
It knows no signatures: the checkpoint is opened with ``cryptography`` here.
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pymerkle import InmemoryTree, InvalidProof, verify_consistency, verify_inclusion

WIDTH = 256


class NotVerified(Exception):
    """Why not."""


def signed_tree(note: str, key: str) -> tuple[int, bytes]:
    name, _hash, encoded = key.split("+", 2)
    text, _, signatures = note.partition("\n\n")
    for line in signatures.splitlines():
        if line.startswith(f"— {name} "):
            signature = base64.b64decode(line.rpartition(" ")[2])[4:]
            public = Ed25519PublicKey.from_public_bytes(base64.b64decode(encoded)[1:])
            public.verify(signature, f"{text}\n".encode())
            _origin, size, root = text.split("\n")
            return int(size), base64.b64decode(root)
    raise NotVerified("not signed by this key")


def files(folder: Path, level: str) -> bytes:
    """All tiles of one level, one after the other; a partial one only where no full one is."""
    found = {}
    for path in sorted((folder / "tile" / level).rglob("*")):
        if path.is_file():
            partial = path.parent.suffix == ".p"
            name = str(path.parent.with_suffix("") if partial else path)
            if not (partial and name in found):
                found[name] = path.read_bytes()
    return b"".join(found[name] for name in sorted(found))


def entries(folder: Path) -> list[bytes]:
    data, at, found = files(folder, "entries"), 0, []
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        found.append(data[at + 2 : end])
        at = end
    return found


def verify(key: str, folder: Path, cases: dict[str, list[dict[str, object]]]) -> int:
    size, root = signed_tree((folder / "checkpoint").read_text(), key)
    tree = InmemoryTree(algorithm="sha256")
    tree.append_entries(entries(folder))
    if tree.get_size() != size or tree.get_root() != root:
        raise NotVerified(f"{tree.get_size()} entries do not make the root signed for {size}")
    if files(folder, "0") != b"".join(tree.get_leaf(index) for index in range(1, size + 1)):
        raise NotVerified("the leaf hashes in the tiles are not those of the entries")
    for case in cases["Inclusion"]:
        place = case["Index"] + 1  # it counts from one
        leaf = tree.hash_buff(base64.b64decode(case["Entry"]))
        proof = tree.prove_inclusion(place)
        proof.path = [leaf, *map(base64.b64decode, case["Proof"])]
        verify_inclusion(leaf, root, proof, index=place, size=size)
    for case in cases["Consistency"]:
        old, old_root = case["Old"], base64.b64decode(case["Root"])
        # Its consistency proofs have a form of their own, so ours are not put into them.
        proof = tree.prove_consistency(old)
        verify_consistency(old_root, root, proof, prior_size=old, later_size=size)
    return size


def main(key: str, folder: str, cases: str) -> int:
    try:
        size = verify(key, Path(folder), json.loads(Path(cases).read_text()))
    except (NotVerified, InvalidProof, InvalidSignature, OSError) as error:
        print(f"NOT VERIFIED: {type(error).__name__} {error}")
        return 1
    print(f"verified: {size} entries")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
