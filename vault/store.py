"""Seal and open: the only ways in and out, each against a live permit.

Opening needs a durable log receipt besides: the entry that tells of the access is committed before
the first byte is. Both are demanded by the signatures. This stops mistakes, not hostile code
inside the process.
"""

from __future__ import annotations

import hmac
import time
from pathlib import Path
from typing import Any, NoReturn
from uuid import UUID

from audit_log.actions import Outcome
from audit_log.log import DurableReceipt
from vault import aead, keys
from vault.aead import Binding, Label
from vault.blobs import BlobReader, BlobWriter
from vault.errors import PermitMismatch, ReceiptMismatch, ReceiptMissing, ReceiptTooOld
from vault.permits import Permit
from vault.units import Row, Unit

RECEIPT_SECONDS = 30.0
"""How long after its log entry an access may begin."""


class Plaintext:
    """Opened bytes that do not slip into a log line, a template, a task argument or a cache."""

    __slots__ = ("_body",)

    def __init__(self, body: bytes) -> None:
        self._body = body

    def reveal(self) -> bytes:
        """The bytes themselves."""
        return self._body

    def __repr__(self) -> str:
        return "Plaintext(sealed)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("plaintext is not to be copied or stored")


def seal(permit: Permit, data_key_id: UUID, unit: Unit, row: Row, plaintext: bytes) -> bytes:
    """The sealed record of ``plaintext`` for this one row.

    Raises PermitMismatch, UnitMismatch, KeyMissing, KeyDestroyed, or the gate's refusal.
    """
    aad = Binding(unit=unit, row=row, data_key_id=data_key_id).encode()
    key = permitted_key(permit, data_key_id, unit)
    return aead.seal(Label.RECORD, key, data_key_id, aad, plaintext)


def unseal(
    permit: Permit,
    receipt: DurableReceipt,
    data_key_id: UUID,
    unit: Unit,
    row: Row,
    sealed: bytes,
) -> Plaintext:
    """Open a sealed record. The receipt is used up, whether the record opens or not.

    Raises ReceiptMissing, ReceiptMismatch, ReceiptTooOld, ReceiptAlreadyUsed, PermitMismatch,
    UnitMismatch, KeyMissing, KeyDestroyed, Tampered, or the gate's refusal.
    """
    use_receipt(receipt, permit)
    aad = Binding(unit=unit, row=row, data_key_id=data_key_id).encode()
    key = permitted_key(permit, data_key_id, unit)
    return Plaintext(aead.unseal(Label.RECORD, key, data_key_id, aad, sealed))


def seal_blob(permit: Permit, data_key_id: UUID, unit: Unit, row: Row, path: Path) -> BlobWriter:
    """A writer that seals what it is given into the file ``path``; see ``BlobWriter``.

    Raises BlobExists besides what ``seal`` raises.
    """
    context = Binding(unit=unit, row=row, data_key_id=data_key_id).encode()
    return BlobWriter(permitted_key(permit, data_key_id, unit), context, path)


def open_blob(
    permit: Permit,
    receipt: DurableReceipt,
    data_key_id: UUID,
    unit: Unit,
    row: Row,
    path: Path,
) -> BlobReader:
    """A reader of the sealed file ``path``, verified to its end; see ``BlobReader``.

    Raises what ``unseal`` raises, and FileNotFoundError.
    """
    use_receipt(receipt, permit)
    context = Binding(unit=unit, row=row, data_key_id=data_key_id).encode()
    return BlobReader(permitted_key(permit, data_key_id, unit), context, path)


def use_receipt(receipt: DurableReceipt, permit: Permit) -> None:
    """Use the receipt up for this permit; raises when it does not stand for exactly this access."""
    # Exactly this class: whatever else looks like a receipt was not handed out by the log.
    if type(receipt) is not DurableReceipt:
        raise ReceiptMissing(
            f"expected a durable log receipt, got {type(receipt).__name__}: log the access first"
        )
    require_permit(permit)
    wrong = [name for name, same in comparison(receipt, permit).items() if not same]
    if wrong:
        raise ReceiptMismatch(f"the log entry and the permit differ in {', '.join(wrong)}")
    age = time.monotonic() - receipt.written_at
    if not 0 <= age <= RECEIPT_SECONDS:
        raise ReceiptTooOld(
            f"expected a log entry of the last {RECEIPT_SECONDS:.0f} s, got {age:.1f}"
        )
    receipt.consume()


def comparison(receipt: DurableReceipt, permit: Permit) -> dict[str, bool]:
    """For each thing that entry and permit must agree on, whether they do."""
    draft = receipt.draft
    return {
        "subject": same_tag(draft.subject_tag, permit.subject_tag),
        "purpose": draft.purpose_id == permit.purpose_id,
        "object": same_tag(draft.object_tag, permit.object_tag),
        "action": draft.action == permit.action,
        "permit": draft.permit_id is not None and draft.permit_id == permit.permit_id,
        "outcome": draft.outcome == Outcome.OK,
    }


def same_tag(one: bytes, other: bytes) -> bool:
    """Whether both are the same tag; an empty tag is like no other."""
    return len(one) == 32 and hmac.compare_digest(one, other)


def require_permit(permit: Permit) -> None:
    """Raises PermitMismatch when what was handed over is no permit at all."""
    if not callable(getattr(permit, "recheck", None)):
        raise PermitMismatch(f"expected a permit of the gate, got {type(permit).__name__}")


def permitted_key(permit: Permit, data_key_id: UUID, unit: Unit) -> bytes:
    """The data key, fetched right after the gate has been asked once more."""
    require_permit(permit)
    if (permit.subject_id, permit.purpose_id) != (unit.subject_id, unit.purpose_id):
        raise PermitMismatch("the permit is for another data subject or purpose than the data")
    permit.recheck()
    return keys.open_data_key(data_key_id, unit)
