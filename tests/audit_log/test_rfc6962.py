"""Our tree against the definitions of RFC 6962 section 2.1, written here as the text says them.

The vectors are those of certificate-transparency's own tests. What must be refused follows the kinds of
mutated proofs in transparency-dev/merkle's testdata.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit_log.merkle import (
    InvalidProof,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from tests.audit_log.test_merkle import LEAVES, ROOTS, Stored

MOST = 2000
DATA = [str(number).encode() for number in range(MOST)]
STORED = Stored([leaf_hash(data) for data in DATA])


@cache
def mth(low: int, high: int) -> bytes:
    """MTH(D[low:high])."""
    if high - low == 0:
        return sha256(b"").digest()
    if high - low == 1:
        return sha256(b"\x00" + DATA[low]).digest()
    k = largest_power(high - low)
    return sha256(b"\x01" + mth(low, low + k) + mth(low + k, high)).digest()


def largest_power(n: int) -> int:
    """The largest power of two smaller than n."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def path(m: int, low: int, high: int) -> list[bytes]:
    """PATH(m, D[low:high])."""
    n = high - low
    if n == 1:
        return []
    k = largest_power(n)
    if m < k:
        return [*path(m, low, low + k), mth(low + k, high)]
    return [*path(m - k, low + k, high), mth(low, low + k)]


def subproof(m: int, low: int, high: int, b: bool) -> list[bytes]:
    """SUBPROOF(m, D[low:high], b); PROOF(m, D[n]) is SUBPROOF(m, D[n], true)."""
    n = high - low
    if m == n:
        return [] if b else [mth(low, high)]
    k = largest_power(n)
    if m <= k:
        return [*subproof(m, low, low + k, b), mth(low + k, high)]
    return [*subproof(m - k, low + k, high, False), mth(low, low + k)]


def some_below(size: int) -> set[int]:
    """Places where the shape of a tree shows: its edges, its middle and around the largest subtree."""
    k = largest_power(size) if size > 1 else 0
    return {place for place in (0, 1, size // 2, k - 1, k, size - 1) if 0 <= place < size}


def test_every_size_has_the_root_and_the_proofs_of_the_definition() -> None:
    for size in range(1, MOST + 1):
        root = mth(0, size)
        for index in some_below(size):
            proof = inclusion_proof(index, size, STORED)
            assert proof == path(index, 0, size)
            verify_inclusion(mth(index, index + 1), index, size, proof, root)
            old = index + 1
            proof = consistency_proof(old, size, STORED)
            assert proof == subproof(old, 0, size, True)
            verify_consistency(old, size, proof, mth(0, old), root)
    assert root_of(leaf_hash(data) for data in DATA) == mth(0, MOST)


places = st.integers(1, MOST).flatmap(
    lambda size: st.tuples(st.integers(0, size - 1), st.just(size))
)


@settings(max_examples=1000)
@given(place=places)
def test_any_place_in_any_size(place: tuple[int, int]) -> None:
    index, size = place
    proof = inclusion_proof(index, size, STORED)
    assert proof == path(index, 0, size)
    leaf, root = mth(index, index + 1), mth(0, size)
    verify_inclusion(leaf, index, size, proof, root)
    refuse_inclusion(leaf, index, size, proof, root)


@settings(max_examples=1000)
@given(place=places)
def test_any_size_from_any_earlier_one(place: tuple[int, int]) -> None:
    old, new = place[0] + 1, place[1]
    proof = consistency_proof(old, new, STORED)
    assert proof == subproof(old, 0, new, True)
    roots = mth(0, old), mth(0, new)
    verify_consistency(old, new, proof, *roots)
    refuse_consistency(old, new, proof, *roots)


def mutated(proof: list[bytes]) -> Iterator[list[bytes]]:
    """Proofs that are too long, too short, in another order, or of hashes of another length."""
    other, half = sha256(b"other").digest(), len(proof) // 2
    yield from ([*proof, other], [other, *proof], [*proof, b""], [b"", *proof])
    yield [*proof[:half], other, *proof[half:]]
    for at in {0, half, len(proof) - 1} if proof else set():
        for value in (other, b"", proof[at][:31], proof[at] + b"\x00", proof[at][::-1]):
            yield [*proof[:at], value, *proof[at + 1 :]]
        yield [*proof[:at], *proof[at + 1 :]]
    if len(proof) > 1:
        yield proof[::-1]


def refuse_inclusion(leaf: bytes, index: int, size: int, proof: list[bytes], root: bytes) -> None:
    cases = [(leaf, index, size, each, root) for each in mutated(proof)]
    cases += [(each, index, size, proof, root) for each in (b"", leaf[:31], leaf[::-1])]
    cases += [(leaf, index, size, proof, each) for each in (b"", root[:31], root[::-1])]
    cases += [(b"", index, size, proof, b""), (b"", 0, 0, [], b""), (leaf, 0, 0, [], root)]
    cases += [
        (leaf, each, size, proof, root) for each in (-1, index + 1, index - 1, index ^ 2, size)
    ]
    for case in cases:
        with pytest.raises(InvalidProof):
            verify_inclusion(*case)


def refuse_consistency(old: int, new: int, proof: list[bytes], before: bytes, now: bytes) -> None:
    cases = [(old, new, each, before, now) for each in mutated(proof)]
    cases += [(old, new, proof, each, now) for each in (b"", before[:31], before[::-1])]
    cases += [(old, new, proof, before, each) for each in (b"", now[:31], now[::-1])]
    cases += [(old, new, proof, b"", b""), (0, new, proof, before, now), (0, 0, [], before, before)]
    cases += [(0, new, [], sha256(b"").digest(), now), (new + 1, new, proof, before, now)]
    cases += [(-old, new, proof, before, now)]
    if old != new:
        cases += [(new, old, proof, now, before), (old, new, [], before, now)]
        cases += [(old, new, proof, before, before), (old, new, [], before, before)]
    for case in cases:
        with pytest.raises(InvalidProof):
            verify_consistency(*case)


HASHES = {
    name: bytes.fromhex(text)
    for name, text in {
        "0": "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "1": "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "4": "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "0-1": "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "2-3": "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "4-5": "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "6-7": "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "0-3": "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4-7": "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    }.items()
}


@pytest.mark.parametrize(
    ("index", "size", "names"),
    [
        (0, 1, []),
        (0, 8, ["1", "2-3", "4-7"]),
        (5, 8, ["4", "6-7", "0-3"]),
        (2, 3, ["0-1"]),
        (1, 5, ["0", "2-3", "4"]),
    ],
)
def test_known_inclusion_proofs(index: int, size: int, names: list[str]) -> None:
    expected = [HASHES[name] for name in names]
    assert inclusion_proof(index, size, Stored(LEAVES)) == expected
    verify_inclusion(LEAVES[index], index, size, expected, ROOTS[size - 1])
    refuse_inclusion(LEAVES[index], index, size, expected, ROOTS[size - 1])


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        (1, 1, []),
        (1, 8, ["1", "2-3", "4-7"]),
        (6, 8, ["4-5", "6-7", "0-3"]),
        (2, 5, ["2-3", "4"]),
    ],
)
def test_known_consistency_proofs(old: int, new: int, names: list[str]) -> None:
    expected = [HASHES[name] for name in names]
    assert consistency_proof(old, new, Stored(LEAVES)) == expected
    verify_consistency(old, new, expected, ROOTS[old - 1], ROOTS[new - 1])
    refuse_consistency(old, new, expected, ROOTS[old - 1], ROOTS[new - 1])
