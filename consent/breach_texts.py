"""What an officer writes about a breach, and what people are told: sealed under the record's own key.

The record's id stands where a person's would: the texts are about no one person, and go with the record.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from uuid import UUID

from accounts.actors import Actor
from audit_log.actions import Action
from audit_log.entries import Draft
from audit_log.log import append_durable
from consent.enforcement import RecordPermit, require_record_use
from consent.models import Breach
from consent.sealed_texts import SealedText, seal_new
from vault.store import unseal
from vault.units import Row, Unit

WORDS, TOLD = "words", "told"


@dataclass(frozen=True)
class Words:
    """What Art. 33(3) asks for, in the officer's words."""

    happened: str
    effects: str
    measures: str

    def __repr__(self) -> str:
        return "Words(sealed)"


def breach_unit(breach_id: UUID) -> Unit:
    """The erasure unit of a record's texts."""
    return Unit(subject_id=breach_id, purpose_id=None, category="breach")


def row_of(breach_id: UUID, column: str) -> Row:
    """Where a text stands."""
    return Row(table="breach", column=column, row_id=breach_id)


def seal_words(breach_id: UUID, column: str, action: Action, plain: str) -> SealedText:
    """Seal one of the two texts under a new key. Not under a lock."""
    permit = require_record_use(breach_id, action)
    return seal_new(permit, breach_unit(breach_id), row_of(breach_id, column), plain.encode())


def as_text(words: Words) -> str:
    """The three sections as one text to be sealed."""
    return json.dumps(
        {"happened": words.happened, "effects": words.effects, "measures": words.measures}
    )


def entry_of(permit: RecordPermit, actor_name: str) -> Draft:
    """The entry of a read."""
    return Draft(
        action=permit.action,
        actor=actor_name,
        subject_tag=permit.subject_tag,
        object_tag=permit.object_tag,
        permit_id=permit.permit_id,
    )


def open_column(breach: Breach, actor_name: str, column: str, key_id: UUID, sealed: bytes) -> str:
    """Open one text, logged first."""
    permit = require_record_use(breach.id, Action.BREACH_READ)
    receipt = append_durable(entry_of(permit, actor_name))
    unit, row = breach_unit(breach.id), row_of(breach.id, column)
    return unseal(permit, receipt, key_id, unit, row, sealed).reveal().decode()


def read_words(actor: Actor, breach: Breach) -> Words:
    """What the officer wrote. The caller has found that this operator may read breach records."""
    sealed = bytes(breach.words_sealed)
    text = open_column(breach, actor.log_name(), WORDS, breach.words_key_id, sealed)
    return Words(**json.loads(text))


def read_told(actor_name: str, breach: Breach) -> str:
    """What the people are told; nothing when nobody is, and then no entry is written.

    The caller has found that the actor is one of them, an operator who may read it, or the system.
    """
    if breach.told_key_id is None or breach.told_sealed is None:
        return ""
    return open_column(breach, actor_name, TOLD, breach.told_key_id, bytes(breach.told_sealed))
