"""The Merkle tree of RFC 6962 and RFC 9162: hashes, roots, proofs and their verification. Pure.

A *node* is ``(level, index)``: the root of the complete subtree over leaves
``[index << level, (index + 1) << level)``. Such nodes never change once they exist, so they are
stored, at the positions that golang.org/x/mod/sumdb/tlog gives them, and every proof is put together
from O(log n) of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256

HASH_LENGTH = 32
EMPTY_ROOT = sha256(b"").digest()

Node = tuple[int, int]
NodeReader = Callable[[Sequence[Node]], Sequence[bytes]]
"""Gives the hashes of stored nodes, in the order asked for."""


class InvalidProof(Exception):
    """A proof, a hash or a size is not what RFC 9162 asks for."""


def leaf_hash(body: bytes) -> bytes:
    """RFC 6962 section 2.1: SHA-256(0x00 || entry)."""
    return sha256(b"\x00" + body).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 6962 section 2.1: SHA-256(0x01 || left || right)."""
    return sha256(b"\x01" + left + right).digest()


def position(level: int, index: int) -> int:
    """Where a node is stored: hashes are written in the order in which leaves complete them."""
    for _ in range(level):
        index = 2 * index + 1
    return level + stored_before(index)


def stored_before(leaf: int) -> int:
    """How many node hashes are stored before the given leaf's own; also the count for a tree."""
    count = 0
    while leaf:
        count += leaf
        leaf >>= 1
    return count


def complete_nodes(low: int, high: int) -> list[Node]:
    """The complete subtrees that make up leaves [low, high), left to right.

    ``low`` must be a multiple of the largest power of two below ``high - low``, as it is for every
    range that RFC 6962 forms.
    """
    nodes = []
    while low < high:
        level = (high - low).bit_length() - 1
        nodes.append((level, low >> level))
        low += 1 << level
    return nodes


def fold(hashes: Sequence[bytes]) -> bytes:
    """The root over complete subtrees, given left to right with falling sizes."""
    if not hashes:
        return EMPTY_ROOT
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = node_hash(left, root)
    return root


class Frontier:
    """The complete subtrees at the right edge of a tree: all that is needed to add leaves."""

    def __init__(self, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        expected = size.bit_count()
        if len(hashes) != expected:
            raise InvalidProof(f"a tree of {size} has {expected} edge hashes; got {len(hashes)}")
        self.size = size
        self.hashes = list(hashes)

    def add(self, leaf: bytes) -> list[bytes]:
        """Add a leaf hash; returns the node hashes that it completes, in storage order."""
        made = [leaf]
        for level in range(self.size.bit_length()):
            if not (self.size >> level) & 1:
                break
            made.append(node_hash(self.hashes.pop(), made[-1]))
        self.hashes.append(made[-1])
        self.size += 1
        return made

    def root(self) -> bytes:
        """The root hash of the whole tree."""
        return fold(self.hashes)


def root_of(leaf_hashes: Iterable[bytes]) -> bytes:
    """The root over leaf hashes in order."""
    frontier = Frontier()
    for leaf in leaf_hashes:
        frontier.add(leaf)
    return frontier.root()


def split(size: int) -> int:
    """The largest power of two smaller than ``size`` (RFC 6962: k)."""
    return 1 << ((size - 1).bit_length() - 1)


def read_ranges(ranges: Sequence[tuple[int, int]], read: NodeReader) -> list[bytes]:
    """The hash over each range of leaves, with one call to the reader."""
    nodes = [complete_nodes(low, high) for low, high in ranges]
    hashes = iter(read([node for group in nodes for node in group]))
    return [fold([next(hashes) for _ in group]) for group in nodes]


def inclusion_proof(index: int, size: int, read: NodeReader) -> list[bytes]:
    """PATH(index, D[size]) of RFC 6962 section 2.1.1, from the leaf's sibling upwards.

    Raises InvalidProof unless 0 <= index < size.
    """
    if not 0 <= index < size:
        raise InvalidProof(f"expected 0 <= index < size; got index {index}, size {size}")
    low, high = 0, size
    ranges = []
    while high - low > 1:
        middle = low + split(high - low)
        if index < middle:
            ranges.append((middle, high))
            high = middle
        else:
            ranges.append((low, middle))
            low = middle
    return read_ranges(ranges[::-1], read)


def consistency_proof(old: int, new: int, read: NodeReader) -> list[bytes]:
    """PROOF(old, D[new]) of RFC 6962 section 2.1.2. Raises InvalidProof unless 0 < old <= new."""
    if not 0 < old <= new:
        raise InvalidProof(f"expected 0 < old <= new; got old {old}, new {new}")
    low, high, whole = 0, new, True
    ranges = []
    while old != high:
        middle = low + split(high - low)
        if old <= middle:
            ranges.append((middle, high))
            high = middle
        else:
            ranges.append((low, middle))
            low = middle
            whole = False
    if not whole:
        ranges.append((low, high))
    return read_ranges(ranges[::-1], read)


def require_hashes(*hashes: bytes) -> None:
    """Raise InvalidProof for anything that is not a SHA-256 hash."""
    for value in hashes:
        if len(value) != HASH_LENGTH:
            raise InvalidProof(f"a hash has {HASH_LENGTH} bytes; got {len(value)}")


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """RFC 9162 section 2.1.3.2. Raises InvalidProof unless the leaf is at ``index`` under ``root``."""
    require_hashes(leaf, root, *proof)
    if not 0 <= index < size:
        raise InvalidProof(f"expected 0 <= index < size; got index {index}, size {size}")
    found = leaf
    for left, step in siblings(index, size - 1, proof):
        found = node_hash(step, found) if left else node_hash(found, step)
    if found != root:
        raise InvalidProof(f"expected root {root.hex()}; the proof leads to {found.hex()}")


def siblings(fn: int, sn: int, proof: Sequence[bytes]) -> Iterator[tuple[bool, bytes]]:
    """Each proof hash on the way up from node ``fn`` of a level that ends with ``sn``.

    Gives (whether it is the left sibling, the hash); the names are RFC 9162's. Raises InvalidProof
    when there are too many or too few.
    """
    for step in proof:
        if sn == 0:
            raise InvalidProof("the proof is too long")
        left = bool(fn & 1) or fn == sn
        yield left, step
        while left and fn and not fn & 1:
            fn, sn = fn >> 1, sn >> 1
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise InvalidProof("the proof is too short")


def verify_consistency(
    old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> None:
    """RFC 9162 section 2.1.4.2. Raises InvalidProof unless the new tree continues the old one.

    A size of zero is refused: any tree continues the empty one, so such a proof says nothing.
    """
    require_hashes(old_root, new_root, *proof)
    if not 0 < old <= new:
        raise InvalidProof(f"expected 0 < old <= new; got old {old}, new {new}")
    if old == new:
        if proof or old_root != new_root:
            raise InvalidProof("trees of one size have the same root and an empty proof")
        return
    steps = list(proof) if old & (old - 1) else [old_root, *proof]
    if not steps:
        raise InvalidProof("the consistency proof is empty")
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    old_found = new_found = steps[0]
    for left, step in siblings(fn, sn, steps[1:]):
        new_found = node_hash(step, new_found) if left else node_hash(new_found, step)
        old_found = node_hash(step, old_found) if left else old_found
    if (old_found, new_found) != (old_root, new_root):
        raise InvalidProof("the consistency proof does not connect the two roots")
