"""Seal and open: the only ways in and out, each against a live permit.

Opening needs a durable log receipt besides: the entry that tells of the access is committed before
the first byte is. Both are demanded by the signatures. This stops mistakes, not hostile code
inside the process.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn
from uuid import UUID

from audit_log.log import DurableReceipt
from vault import access, aead
from vault.aead import Binding, Label
from vault.blobs import BlobReader, BlobWriter
from vault.permits import Permit
from vault.units import Row, Unit


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
    key = access.permitted_key(permit, data_key_id, unit)
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
    access.use_receipt(receipt, permit)
    aad = Binding(unit=unit, row=row, data_key_id=data_key_id).encode()
    key = access.permitted_key(permit, data_key_id, unit)
    return Plaintext(aead.unseal(Label.RECORD, key, data_key_id, aad, sealed))


def seal_blob(permit: Permit, data_key_id: UUID, unit: Unit, row: Row, path: Path) -> BlobWriter:
    """A writer that seals what it is given into the file ``path``; see ``BlobWriter``.

    Raises BlobExists besides what ``seal`` raises.
    """
    context = Binding(unit=unit, row=row, data_key_id=data_key_id).encode()
    return BlobWriter(access.permitted_key(permit, data_key_id, unit), context, path)


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
    access.use_receipt(receipt, permit)
    context = Binding(unit=unit, row=row, data_key_id=data_key_id).encode()
    return BlobReader(access.permitted_key(permit, data_key_id, unit), context, path)
