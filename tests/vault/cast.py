"""A small permit, and units, rows and receipts for the tests of the vault."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from audit_log.actions import Action
from audit_log.entries import Draft
from audit_log.log import DurableReceipt, append_durable
from vault.keyring import create_data_key
from vault.tags import tagger
from vault.units import Row, Unit


class Refused(Exception):
    """What the small permit's gate raises."""


@dataclass
class SmallPermit:
    """A permit that counts how often it was asked again, and refuses when told to."""

    subject_id: UUID
    purpose_id: UUID | None
    action: Action = Action.RESULT_READ
    permit_id: UUID = field(default_factory=uuid7)
    object_id: UUID = field(default_factory=uuid7)
    refuse: bool = False
    consent_version: int = 1
    asked: int = 0
    on_recheck: Callable[[], None] = lambda: None

    @property
    def subject_tag(self) -> bytes:
        return tagger(self.subject_id, self.purpose_id).subject()

    @property
    def object_tag(self) -> bytes:
        return tagger(self.subject_id, self.purpose_id).object("result", self.object_id)

    def recheck(self) -> None:
        self.asked += 1
        self.on_recheck()
        if self.refuse:
            raise Refused


@dataclass(frozen=True)
class Place:
    """Everything that one sealed thing needs."""

    permit: SmallPermit
    key_id: UUID
    unit: Unit
    row: Row

    @property
    def where(self) -> tuple[UUID, Unit, Row]:
        return self.key_id, self.unit, self.row


def a_unit(**changes: Any) -> Unit:
    given = {"subject_id": uuid7(), "purpose_id": uuid7(), "category": "expression"}
    return Unit(**(given | changes))


def a_row(**changes: Any) -> Row:
    return Row(**({"table": "result", "column": "sealed", "row_id": uuid7()} | changes))


def a_place(unit: Unit | None = None) -> Place:
    unit = unit or a_unit()
    permit = SmallPermit(unit.subject_id, unit.purpose_id)
    return Place(permit, create_data_key(unit), unit, a_row())


def a_draft(permit: SmallPermit, **changes: Any) -> Draft:
    draft = Draft(
        action=permit.action,
        actor="system:worker",
        purpose_id=permit.purpose_id,
        subject_tag=permit.subject_tag,
        object_tag=permit.object_tag,
        permit_id=permit.permit_id,
    )
    return replace(draft, **changes)


def a_receipt(permit: SmallPermit, **changes: Any) -> DurableReceipt:
    return append_durable(a_draft(permit, **changes))
