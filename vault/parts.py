"""Opening several sealed parts of one object with one receipt: one read, one entry in the log.

A result is sealed in parts, because each data category is erased alone; a reader opens them together. A
film that was sent in parts lies in as many files until all of it is here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from audit_log.log import DurableReceipt
from vault import access, aead
from vault.aead import Binding, Label
from vault.blobs import BlobReader
from vault.permits import Permit
from vault.store import Plaintext
from vault.units import Row, Unit

LOT = 32
"""Parts whose keys are fetched together: what the gate said just before holds for all of them."""


@dataclass(frozen=True, kw_only=True)
class Sealed:
    """A sealed record with everything that it is bound to."""

    data_key_id: UUID
    unit: Unit
    row: Row
    sealed: bytes


def unseal_parts(
    permit: Permit, receipt: DurableReceipt, parts: Sequence[Sealed]
) -> list[Plaintext]:
    """Open all parts, in their order. The receipt is used up; the gate is asked before each lot of keys.

    Raises what ``vault.store.unseal`` raises; then none of the parts is returned.
    """
    access.use_receipt(receipt, permit)
    opened = []
    for begin in range(0, len(parts), LOT):
        lot = parts[begin : begin + LOT]
        keys = access.permitted_keys(permit, [(part.data_key_id, part.unit) for part in lot])
        for part in lot:
            binding = Binding(unit=part.unit, row=part.row, data_key_id=part.data_key_id)
            key = keys[part.data_key_id]
            opened.append(
                Plaintext(
                    aead.unseal(Label.RECORD, key, part.data_key_id, binding.encode(), part.sealed)
                )
            )
    return opened


@dataclass(frozen=True, kw_only=True)
class SealedFile:
    """A sealed blob with everything that it is bound to."""

    data_key_id: UUID
    unit: Unit
    row: Row
    path: Path


def open_files(
    permit: Permit, receipt: DurableReceipt, files: Sequence[SealedFile]
) -> Iterator[BlobReader]:
    """Readers of the files in their order, each closed when the next is asked for.

    The receipt is used up at once; the gate is asked before each key. Raises what
    ``vault.store.open_blob`` raises, then or when a file's turn comes.
    """
    access.use_receipt(receipt, permit)

    def in_turn() -> Iterator[BlobReader]:
        """One file after the other, verified to its end before it is handed out."""
        for file in files:
            binding = Binding(unit=file.unit, row=file.row, data_key_id=file.data_key_id)
            key = access.permitted_key(permit, file.data_key_id, file.unit)
            with BlobReader(key, binding.encode(), file.path) as blob:
                yield blob

    return in_turn()
