"""What must hold before a data key is used. Nothing outside this package may import this module.

Here a permit and a receipt turn into a key, so everything that opens or seals goes through here.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Collection
from uuid import UUID

from audit_log.actions import Outcome
from audit_log.log import DurableReceipt
from vault import keys
from vault.errors import PermitMismatch, ReceiptMismatch, ReceiptMissing, ReceiptTooOld
from vault.permits import Permit
from vault.units import Unit

RECEIPT_SECONDS = 30.0
"""How long after its log entry an access may begin."""


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
    return permitted_keys(permit, [(data_key_id, unit)])[data_key_id]


def permitted_keys(permit: Permit, wanted: Collection[tuple[UUID, Unit]]) -> dict[UUID, bytes]:
    """The data keys of these units, fetched together right after the gate has been asked once more."""
    require_permit(permit)
    owner = (permit.subject_id, permit.purpose_id)
    if any((unit.subject_id, unit.purpose_id) != owner for _id, unit in wanted):
        raise PermitMismatch("the permit is for another data subject or purpose than the data")
    permit.recheck()
    return keys.open_data_keys(wanted, permit.consent_version)
