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
from vault.parts import Sealed, unseal_parts
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


@dataclass(frozen=True)
class OpenRecord:
    """What the officer wrote and what the people are told (if they are), in plain, for one answer."""

    words: Words
    told: str

    def __repr__(self) -> str:
        return "OpenRecord(sealed)"


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


def parts_of(breach: Breach) -> dict[str, Sealed]:
    """The sealed texts that there are, by column."""
    filed = {
        WORDS: (breach.words_key_id, breach.words_sealed),
        TOLD: (breach.told_key_id, breach.told_sealed),
    }
    return {
        column: Sealed(
            data_key_id=key_id,
            unit=breach_unit(breach.id),
            row=row_of(breach.id, column),
            sealed=bytes(sealed),
        )
        for column, (key_id, sealed) in filed.items()
        if key_id is not None and sealed is not None
    }


def open_parts(breach: Breach, actor_name: str, parts: dict[str, Sealed]) -> dict[str, str]:
    """Open these texts together, logged first: one read, one entry."""
    permit = require_record_use(breach.id, Action.BREACH_READ)
    receipt = append_durable(entry_of(permit, actor_name))
    opened = unseal_parts(permit, receipt, list(parts.values()))
    return {column: each.reveal().decode() for column, each in zip(parts, opened, strict=True)}


def read_record(actor: Actor, breach: Breach) -> OpenRecord:
    """Both texts. The caller has found that this operator may read breach records."""
    plain = open_parts(breach, actor.log_name(), parts_of(breach))
    return OpenRecord(Words(**json.loads(plain[WORDS])), plain.get(TOLD, ""))


def read_told(actor_name: str, breach: Breach) -> str:
    """What the people are told; nothing when nobody is, and then no entry is written.

    The caller has found that the actor is one of them, or the system.
    """
    parts = parts_of(breach)
    if TOLD not in parts:
        return ""
    return open_parts(breach, actor_name, {TOLD: parts[TOLD]})[TOLD]
