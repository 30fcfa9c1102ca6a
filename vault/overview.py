"""What the keystore holds, in numbers: for operators, who need no key and no person to see it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Q

from vault import keys
from vault.models import KEY_MODELS, Epoch


@dataclass(frozen=True, kw_only=True)
class EpochNumbers:
    """One epoch.

    Fields:
        living: keys that are wrapped under it; dead: tombstones of keys that last were.
    """

    id: UUID
    state: str
    opened_at: datetime | None
    destroyed_at: datetime | None
    living: int
    dead: int


def epoch_numbers() -> list[EpochNumbers]:
    """Every epoch, oldest first. Raises KeystoreUnavailable."""
    living: dict[UUID, int] = {}
    dead: dict[UUID, int] = {}
    with keys.keystore():
        for model in KEY_MODELS:
            counted = model._default_manager.values("epoch_id").annotate(
                living=Count("id", filter=Q(destroyed_at=None)),
                dead=Count("id", filter=Q(destroyed_at__isnull=False)),
            )
            for row in counted.values_list("epoch_id", "living", "dead"):
                living[row[0]] = living.get(row[0], 0) + row[1]
                dead[row[0]] = dead.get(row[0], 0) + row[2]
        return [
            EpochNumbers(
                id=epoch.id,
                state=epoch.state,
                opened_at=epoch.opened_at,
                destroyed_at=epoch.destroyed_at,
                living=living.get(epoch.id, 0),
                dead=dead.get(epoch.id, 0),
            )
            for epoch in Epoch.objects.order_by("created_at", "id")
        ]


def provider_name() -> str:
    """Where epoch keys exist, for people."""
    if settings.TRANSIT_URL:
        return f"Transit server {settings.TRANSIT_URL}"
    return f"files in {settings.KEYS_DIR / 'epochs'}"
