"""Data keys by name: make, list, destroy. No function here gives a byte of a key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import EllipsisType
from uuid import UUID

from django.db import DatabaseError, IntegrityError
from django.db.models import Q
from django.utils import timezone

from vault import cache, keys
from vault.models import DataKey, EpochState
from vault.providers import configured
from vault.units import Unit


@dataclass(frozen=True, kw_only=True)
class DestroyedKey:
    """A tombstone: which key died, when, and the epoch that it was last wrapped under."""

    id: UUID
    epoch_id: UUID
    destroyed_at: datetime


def create_data_key(unit: Unit) -> UUID:
    """Make a new data key for this erasure unit; its id.

    Every call makes another key: consent given again never revives an old one. Raises
    KeystoreUnavailable.
    """
    row = DataKey(
        subject_id=unit.subject_id,
        purpose_id=unit.purpose_id,
        category=unit.category,
        recording_id=unit.recording_id,
    )
    keys.create(row)
    return row.id


def data_key_ids(
    *,
    subject_id: UUID,
    purpose_id: UUID | EllipsisType | None = ...,
    category: str | None = None,
    recording_id: UUID | None = None,
    include_destroyed: bool = False,
    or_died_since: datetime | None = None,
) -> list[UUID]:
    """The ids of a data subject's living keys, oldest first; with others when it is asked for.

    ``purpose_id`` left out means every purpose; None means the account's own keys. The other
    filters apply when they are given.
    """
    rows = DataKey.objects.filter(subject_id=subject_id)
    if not isinstance(purpose_id, EllipsisType):
        rows = rows.filter(purpose_id=purpose_id)
    if category is not None:
        rows = rows.filter(category=category)
    if recording_id is not None:
        rows = rows.filter(recording_id=recording_id)
    if not include_destroyed:
        rows = rows.filter(lives(or_died_since))
    with keys.keystore():
        return list(rows.order_by("created_at", "id").values_list("id", flat=True))


def living_keys(ids: Iterable[UUID], *, or_died_since: datetime | None = None) -> set[UUID]:
    """Those of these keys that still open something, or that did until this moment."""
    with keys.keystore():
        rows = DataKey.objects.filter(lives(or_died_since), id__in=set(ids))
        return set(rows.values_list("id", flat=True))


def lives(or_died_since: datetime | None) -> Q:
    """The condition of keys that were not destroyed, or not before this moment."""
    alive = Q(destroyed_at=None)
    return alive if or_died_since is None else alive | Q(destroyed_at__gte=or_died_since)


def destroy_data_keys(ids: Iterable[UUID]) -> list[DestroyedKey]:
    """Destroy these keys and leave tombstones. Safe to repeat: the first destruction stands.

    Ids that the keystore does not know are left out of the answer.
    """
    rows = DataKey.objects.filter(id__in=list(ids))
    keys.entomb(rows)
    with keys.keystore():
        return [
            DestroyedKey(id=row.id, epoch_id=row.epoch_id, destroyed_at=row.destroyed_at)
            for row in rows.defer("wrapped").order_by("id")
            if row.destroyed_at is not None
        ]


@contextmanager
def keys_kept_if_filed(*ids: UUID | None) -> Iterator[None]:
    """Destroy these new keys when the block that files what they seal raises; None stands for no key.

    Not when the database failed: whether it was committed is unknown then, unless a rule of its tables was
    broken. An orphan key opens nothing and dies with the others of its person and purpose; a lost one takes
    along what is filed.
    """
    try:
        yield
    except BaseException as error:
        if isinstance(error, DatabaseError) and not isinstance(error, IntegrityError):
            raise
        destroy_data_keys(key_id for key_id in ids if key_id is not None)
        raise


def final_destruction(key_ids: Iterable[UUID]) -> datetime | None:
    """T2: since when no copy of these keys can be unwrapped; None while one still could be.

    Every key must be a tombstone that no process remembers any more, and the epoch it was last wrapped
    under must be destroyed, and that written in the log. A key that the keystore does not know proves
    nothing, so it gives None. For no keys at all there was nothing to destroy: now.
    """
    wanted = set(key_ids)
    if not wanted:
        return timezone.now()
    with keys.keystore():
        found = DataKey.objects.filter(id__in=wanted).defer("wrapped")
        rows = list(found.select_related("epoch"))
    remembered = timedelta(seconds=cache.SECONDS if configured().remote else 0)
    moments: list[datetime] = []
    for row in rows:
        epoch = row.epoch
        if row.destroyed_at is None or epoch.state != EpochState.DESTROYED:
            return None
        if epoch.destroyed_at is None or epoch.destroyed_entry is None:
            return None
        if row.destroyed_at + remembered > timezone.now():
            return None
        moments.append(max(epoch.destroyed_at, row.destroyed_at + remembered))
    return max(moments) if len(rows) == len(wanted) else None
