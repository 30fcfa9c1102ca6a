"""What a key is for (an erasure unit) and where sealed bytes stand (a row)."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, kw_only=True)
class Unit:
    """What may be erased alone, and therefore has data keys of its own.

    Fields:
        purpose_id: None for what belongs to the account and to no purpose (contact data).
        category: media, a category of results, or what kind of account data.
        recording_id: None where the unit is not about one recording.
    """

    subject_id: UUID
    purpose_id: UUID | None
    category: str
    recording_id: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class Row:
    """The one place where sealed bytes may stand; moved anywhere else they no longer open.

    Fields:
        schema_version: of the plaintext's schema, so that old bytes cannot pass for new ones.
    """

    table: str
    column: str
    row_id: UUID
    schema_version: int = 1
