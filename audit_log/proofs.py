"""Proofs from the stored tree: inclusion, consistency, and the C2SP ``tlog-proof`` text."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from audit_log import merkle
from audit_log.errors import EntryNotIntegrated, EntryUnknown, UnknownTreeSize
from audit_log.models import Checkpoint, LogEntry, PendingEntry
from audit_log.tree import read_nodes, tree_size
from audit_log.witnessed import published_checkpoint


@dataclass(frozen=True, kw_only=True)
class InclusionProof:
    """An entry, its place, and the hashes that lead from it to the root of a signed checkpoint."""

    entry_id: UUID
    body: bytes
    leaf_hash: bytes
    index: int
    size: int
    hashes: list[bytes]
    root: bytes
    note: str

    def text(self) -> str:
        """The proof as C2SP ``tlog-proof``, without extra data."""
        hashes = "".join(f"{base64.b64encode(value).decode()}\n" for value in self.hashes)
        return f"c2sp.org/tlog-proof@v1\nindex {self.index}\n{hashes}\n{self.note}"


@dataclass(frozen=True)
class Covering:
    """A checkpoint under which entries are proven, and its note with the cosignatures."""

    size: int
    root: bytes
    note: str


def covering() -> list[Covering]:
    """What entries can be proven under, the best first: the published checkpoint, then the latest.

    Look it up once for many proofs, and before the entries: it covers only what is there already.
    """
    rows = [row for row in (published_checkpoint(), latest_checkpoint()) if row]
    unique = {row.size: row for row in rows}.values()
    return [Covering(row.size, row.root, row.cosigned_note()) for row in unique]


def latest_checkpoint() -> Checkpoint | None:
    """The highest published checkpoint, or None before the first."""
    return Checkpoint.objects.order_by("-size").first()


def inclusion_proof(entry_id: UUID, under: Sequence[Covering] | None = None) -> InclusionProof:
    """The proof of an entry under the first of these checkpoints that covers it.

    Raises EntryNotIntegrated while none covers it, EntryUnknown when it was never written.
    """
    under = covering() if under is None else under
    entry = LogEntry.objects.filter(entry_id=entry_id).first()
    if entry is None and not PendingEntry.objects.filter(entry_id=entry_id).exists():
        # It may have moved from one table to the other between the two questions.
        entry = LogEntry.objects.filter(entry_id=entry_id).first()
        if entry is None:
            raise EntryUnknown(str(entry_id))
    found = next((each for each in under if entry and entry.index < each.size), None)
    if entry is None or found is None:
        raise EntryNotIntegrated(str(entry_id))
    return InclusionProof(
        entry_id=entry_id,
        body=entry.body,
        leaf_hash=entry.leaf_hash,
        index=entry.index,
        size=found.size,
        hashes=merkle.inclusion_proof(entry.index, found.size, read_nodes),
        root=found.root,
        note=found.note,
    )


def tlog_proof_text(entry_id: UUID) -> str:
    """The proof of an entry as C2SP ``tlog-proof`` text; errors as ``inclusion_proof``."""
    return inclusion_proof(entry_id).text()


def consistency_proof(old: int, new: int) -> list[bytes]:
    """The hashes that show that the tree of ``new`` entries continues the one of ``old``.

    Raises UnknownTreeSize unless 0 < old <= new <= the number of entries.
    """
    size = tree_size()
    if not 0 < old <= new <= size:
        raise UnknownTreeSize(f"Expected 0 < old <= new <= {size}; got {old} and {new}.")
    return merkle.consistency_proof(old, new, read_nodes)
