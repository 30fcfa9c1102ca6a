import base64
import random
from collections.abc import Sequence
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_log.merkle import (
    EMPTY_ROOT,
    Frontier,
    InvalidProof,
    Node,
    complete_nodes,
    consistency_proof,
    fold,
    inclusion_proof,
    leaf_hash,
    node_hash,
    position,
    root_of,
    stored_before,
    verify_consistency,
    verify_inclusion,
)

# The eight leaves, roots and proofs that certificate-transparency's own tests use for RFC 6962.
INPUTS = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    bytes.fromhex(text)
    for text in (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    )
]
LEAVES = [leaf_hash(body) for body in INPUTS]


def simple_root(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962 section 2.1, as the text says it."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return node_hash(simple_root(leaves[:k]), simple_root(leaves[k:]))


class Stored:
    """A tree whose node hashes lie at their positions, as in the database."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.hashes: list[bytes] = []
        frontier = Frontier()
        for leaf in leaves:
            assert len(self.hashes) == stored_before(frontier.size)
            self.hashes += frontier.add(leaf)
        self.reads = 0

    def __call__(self, nodes: Sequence[Node]) -> list[bytes]:
        self.reads += len(nodes)
        return [self.hashes[position(level, index)] for level, index in nodes]


def leaves_of(size: int) -> list[bytes]:
    return [leaf_hash(str(number).encode()) for number in range(size)]


def test_known_roots() -> None:
    assert root_of([]) == EMPTY_ROOT == sha256(b"").digest()
    for size, root in enumerate(ROOTS, start=1):
        assert root_of(LEAVES[:size]) == root == simple_root(LEAVES[:size])


def test_known_inclusion_proof() -> None:
    expected = [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]
    assert [h.hex() for h in inclusion_proof(0, 8, Stored(LEAVES))] == expected


def test_known_consistency_proof() -> None:
    expected = [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]
    assert [h.hex() for h in consistency_proof(6, 8, Stored(LEAVES))] == expected


def test_positions_are_those_of_tlog() -> None:
    # golang.org/x/mod/sumdb/tlog: 0 1 (0,1) 2 3 (2,3) (0,3) ...
    assert [position(0, n) for n in range(6)] == [0, 1, 3, 4, 7, 8]
    assert [position(1, n) for n in range(3)] == [2, 5, 9]
    assert position(2, 0) == 6


@given(size=st.integers(0, 300))
def test_root_is_the_one_of_the_definition(size: int) -> None:
    leaves = leaves_of(size)
    stored = Stored(leaves)
    assert root_of(leaves) == simple_root(leaves) == fold(stored(complete_nodes(0, size)))
    frontier = Frontier(size, stored(complete_nodes(0, size)))
    frontier.add(b"x" * 32)
    assert frontier.root() == simple_root([*leaves, b"x" * 32])


@st.composite
def place(draw: st.DrawFn) -> tuple[int, int]:
    size = draw(st.integers(1, 300))
    return draw(st.integers(0, size - 1)), size


@given(place=place(), seed=st.integers())
def test_inclusion_proof_verifies_and_no_changed_one_does(
    place: tuple[int, int], seed: int
) -> None:
    index, size = place
    leaves = leaves_of(size)
    stored, root = Stored(leaves), simple_root(leaves)
    proof = inclusion_proof(index, size, stored)
    assert stored.reads <= 2 * size.bit_length()
    verify_inclusion(leaves[index], index, size, proof, root)
    for changed in broken(proof, seed):
        with pytest.raises(InvalidProof):
            verify_inclusion(leaves[index], index, size, changed, root)
    with pytest.raises(InvalidProof):
        verify_inclusion(leaf_hash(b"other"), index, size, proof, root)
    with pytest.raises(InvalidProof):
        verify_inclusion(leaves[index], index, size, proof, sha256(root).digest())
    if size > 1:
        with pytest.raises(InvalidProof):
            verify_inclusion(leaves[index], index ^ 1, size, proof, root)


@given(place=place(), seed=st.integers())
def test_consistency_proof_verifies_and_no_changed_one_does(
    place: tuple[int, int], seed: int
) -> None:
    old, new = place[0] + 1, place[1]
    leaves = leaves_of(new)
    stored = Stored(leaves)
    proof = consistency_proof(old, new, stored)
    assert stored.reads <= 3 * new.bit_length()
    roots = simple_root(leaves[:old]), simple_root(leaves)
    verify_consistency(old, new, proof, *roots)
    for changed in broken(proof, seed):
        with pytest.raises(InvalidProof):
            verify_consistency(old, new, changed, *roots)
    with pytest.raises(InvalidProof):
        verify_consistency(old, new, proof, sha256(roots[0]).digest(), roots[1])
    with pytest.raises(InvalidProof):
        verify_consistency(old, new, proof, roots[0], sha256(roots[1]).digest())


def broken(proof: list[bytes], seed: int) -> list[list[bytes]]:
    """A proof with one bit changed, one hash less, one more, and one of the wrong length."""
    rng = random.Random(seed)
    found = [[*proof, b"x" * 32], [b"x" * 32, *proof], [*proof, b"x" * 31]]
    if proof:
        at = rng.randrange(len(proof))
        flipped = bytearray(proof[at])
        flipped[rng.randrange(32)] ^= 1 << rng.randrange(8)
        found.append([*proof[:at], bytes(flipped), *proof[at + 1 :]])
        found.append([*proof[:at], proof[at][:31], *proof[at + 1 :]])
        found.append([*proof[:at], *proof[at + 1 :]])
    return found


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (-1, 1), (5, 3)])
def test_inclusion_outside_the_tree_is_refused(index: int, size: int) -> None:
    with pytest.raises(InvalidProof):
        inclusion_proof(index, size, Stored(LEAVES))
    with pytest.raises(InvalidProof):
        verify_inclusion(LEAVES[0], index, size, [], LEAVES[0])


@pytest.mark.parametrize(("old", "new"), [(0, 0), (0, 8), (-1, 8), (8, 7)])
def test_consistency_with_nothing_or_backwards_is_refused(old: int, new: int) -> None:
    with pytest.raises(InvalidProof):
        consistency_proof(old, new, Stored(LEAVES))
    with pytest.raises(InvalidProof):
        verify_consistency(old, new, [], EMPTY_ROOT, EMPTY_ROOT)


def test_hashes_of_another_length_are_refused() -> None:
    for leaf, root in ((b"", b""), (LEAVES[0], b""), (b"", LEAVES[0])):
        with pytest.raises(InvalidProof):
            verify_inclusion(leaf, 0, 1, [], root)
    with pytest.raises(InvalidProof):
        verify_consistency(1, 2, [LEAVES[1]], b"", ROOTS[1])


def test_empty_consistency_proof_between_sizes_is_refused() -> None:
    with pytest.raises(InvalidProof, match="empty"):
        verify_consistency(3, 8, [], ROOTS[2], ROOTS[7])


def test_frontier_with_the_wrong_number_of_hashes_is_refused() -> None:
    with pytest.raises(InvalidProof, match="edge hashes"):
        Frontier(3, [b"x" * 32])


def test_leaf_cannot_pass_as_a_node() -> None:
    pair = LEAVES[0] + LEAVES[1]
    assert base64.b64encode(leaf_hash(pair)) != base64.b64encode(node_hash(*LEAVES[:2]))
