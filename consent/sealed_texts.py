"""Sealing something that is filed later: under a key of its own, which dies when that fails."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from vault.keyring import create_data_key, keys_kept_if_filed
from vault.permits import Permit
from vault.store import seal
from vault.units import Row, Unit


@dataclass(frozen=True)
class SealedText:
    """A text, or a scan, that is sealed and not yet filed, with the key made for it."""

    key_id: UUID
    sealed: bytes


def seal_new(permit: Permit, unit: Unit, row: Row, plain: bytes) -> SealedText:
    """Seal it under a new key. Not under a lock: it makes that key."""
    key_id = create_data_key(unit)
    with keys_kept_if_filed(key_id):
        return SealedText(key_id, seal(permit, key_id, unit, row, plain))
