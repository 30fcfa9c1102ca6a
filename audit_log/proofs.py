"""Proofs from the stored tree: inclusion, consistency, and the C2SP ``tlog-proof`` text."""

from __future__ import annotations

import base64
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


def latest_checkpoint() -> Checkpoint | None:
    """The highest published checkpoint, or None before the first."""
    return Checkpoint.objects.order_by("-size").first()


def inclusion_proof(entry_id: UUID) -> InclusionProof:
    """The proof of an entry under the published checkpoint, or the latest if only that covers it.

    Raises EntryNotIntegrated while no checkpoint covers it, EntryUnknown when it was never written.
    """
    # The checkpoints first: they only cover entries that are there already.
    published, latest = published_checkpoint(), latest_checkpoint()
    entry = LogEntry.objects.filter(entry_id=entry_id).first()
    if entry is None and not PendingEntry.objects.filter(entry_id=entry_id).exists():
        # It may have moved from one table to the other between the two questions.
        entry = LogEntry.objects.filter(entry_id=entry_id).first()
        if entry is None:
            raise EntryUnknown(str(entry_id))
    if entry is None or latest is None or entry.index >= latest.size:
        raise EntryNotIntegrated(str(entry_id))
    checkpoint = published if published and entry.index < published.size else latest
    return InclusionProof(
        entry_id=entry_id,
        body=entry.body,
        leaf_hash=entry.leaf_hash,
        index=entry.index,
        size=checkpoint.size,
        hashes=merkle.inclusion_proof(entry.index, checkpoint.size, read_nodes),
        root=checkpoint.root,
        note=checkpoint.cosigned_note(),
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
