"""Opening several sealed parts of one object with one receipt: one read, one entry in the log.

A result is sealed in parts, because each data category is erased alone; a reader opens them together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from audit_log.log import DurableReceipt
from vault import access, aead
from vault.aead import Binding, Label
from vault.permits import Permit
from vault.store import Plaintext
from vault.units import Row, Unit


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
    """Open all parts, in their order. The receipt is used up; the gate is asked before each key.

    Raises what ``vault.store.unseal`` raises; then none of the parts is returned.
    """
    access.use_receipt(receipt, permit)
    opened = []
    for part in parts:
        binding = Binding(unit=part.unit, row=part.row, data_key_id=part.data_key_id)
        key = access.permitted_key(permit, part.data_key_id, part.unit)
        opened.append(
            Plaintext(
                aead.unseal(Label.RECORD, key, part.data_key_id, binding.encode(), part.sealed)
            )
        )
    return opened
