"""The vault's own hands on keys. Nothing outside this package may import this module.

It makes keys, wraps them under the current epoch and unwraps them again. What others may do with
keys is in ``keyring`` (names only) and ``store`` (against a permit and a receipt).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from time import monotonic, sleep
from typing import Any, TypeVar
from uuid import UUID

from django.db import DatabaseError, IntegrityError, InterfaceError, connections, transaction
from django.db.models import QuerySet, UUIDField
from django.db.transaction import TransactionManagementError
from django.utils import timezone

from audit_log.prepared import Given, Prepared, Whole
from vault import cache
from vault.aead import KEY_BYTES, encode_fields
from vault.errors import (
    KeyDestroyed,
    KeyMissing,
    KeystoreUnavailable,
    RootKeyMissing,
    UnitMismatch,
    WrongRootKey,
)
from vault.models import DataKey, Epoch, EpochState, WrappedKey
from vault.providers import configured
from vault.routing import KEYSTORE
from vault.units import Unit

logger = logging.getLogger(__name__)
AnyKey = TypeVar("AnyKey", bound=WrappedKey)
JOURNAL_PATIENCE = 5.0  # seconds; writing a log of its usual size back takes hundredths
MISSING = "no such key in the keystore, and none is made in its place"
ATTEMPTS = 5  # an epoch lives for days; meeting two switches in a row is already unheard of
OVERTAKEN = (RootKeyMissing, WrongRootKey)
"""What is said of an epoch's key while a rotation destroys it: it is overwritten first, then gone."""


@contextmanager
def keystore() -> Iterator[None]:
    """Tell a keystore that cannot be used (away, empty, damaged) apart from every other error."""
    try:
        yield
    except (IntegrityError, TransactionManagementError):
        raise
    except (DatabaseError, InterfaceError) as error:
        raise KeystoreUnavailable(f"the keystore cannot be used: {error}") from error


def wrap_aad(row: WrappedKey, epoch_id: UUID) -> bytes:
    """What a wrapped key is bound to: its epoch, kind, id and owner."""
    return encode_fields([b"consentry/wrap/v1", epoch_id.bytes, *row.binding()])


def current_epoch_id() -> UUID:
    """The epoch for new wraps; raises KeystoreUnavailable when there is none."""
    found = Epoch.objects.filter(state=EpochState.CURRENT).values_list("id", flat=True).first()
    if found is None:
        raise KeystoreUnavailable("the keystore has no current epoch: run `manage.py setup`")
    return found


def share_lock(epoch_id: UUID) -> bool:
    """Hold the epoch's state still until the transaction ends; whether it is the current one.

    A rotation that closes the epoch waits for every holder, so it sees every wrap made under it. On
    SQLite the IMMEDIATE transaction is the lock.
    """
    if connections[KEYSTORE].features.has_select_for_update:
        # Django offers FOR UPDATE only, which would make writers wait for one another.
        query = "SELECT * FROM vault_epoch WHERE id = %s FOR SHARE"
        found = list(Epoch.objects.using(KEYSTORE).raw(query, [epoch_id]))
    else:
        found = list(Epoch.objects.filter(id=epoch_id))
    return any(epoch.state == EpochState.CURRENT for epoch in found)


def create(row: WrappedKey) -> bytes:
    """Make a new random key, wrap it under the current epoch, insert ``row``; the key itself.

    The provider is asked before the lock is taken. Raises IntegrityError when the row exists
    already.
    """
    key = os.urandom(KEY_BYTES)
    with keystore():
        for _ in range(ATTEMPTS):
            epoch_id = current_epoch_id()
            row.epoch_id = epoch_id
            try:
                row.wrapped = configured().wrap(epoch_id, key, wrap_aad(row, epoch_id))
            except RootKeyMissing:
                if current_epoch_id() == epoch_id:
                    raise
                continue  # a rotation was begun and finished in between
            with transaction.atomic(using=KEYSTORE):
                if share_lock(epoch_id):
                    row.save(force_insert=True)
                    return key
    raise KeystoreUnavailable("the current epoch kept changing while a key was being made")


def open_key(
    read: Callable[[], Iterable[AnyKey]], consent_version: int = cache.NO_VERSION
) -> tuple[AnyKey, bytes]:
    """The one row that ``read`` reads afresh each time, and its key.

    Raises KeyMissing, KeyDestroyed, RootKeyMissing, WrongRootKey or ProviderUnavailable.
    """
    found = open_keys(read, consent_version)
    if not found:
        raise KeyMissing(MISSING)
    return found[0]


def open_keys(
    read: Callable[[], Iterable[AnyKey]], consent_version: int = cache.NO_VERSION
) -> list[tuple[AnyKey, bytes]]:
    """The rows that ``read`` reads afresh each time, each with its key; raises what ``open_key`` does.

    One that was destroyed or cannot be unwrapped opens none of them.
    """
    with keystore():
        for _ in range(ATTEMPTS):
            found = list(read())
            try:
                return [(row, unwrapped(row, consent_version)) for row in found]
            except OVERTAKEN:
                # A rotation may have moved a key between the read and the unwrapping.
                now = {row.id: row.epoch_id for row in read()}
                if all(now.get(row.id) == row.epoch_id for row in found):
                    raise
    raise KeystoreUnavailable("a key's epoch kept changing while it was being opened")


def unwrapped(row: WrappedKey, consent_version: int) -> bytes:
    """The row's key from the provider, or remembered when the provider is asked over a network."""
    if row.wrapped is None:
        raise KeyDestroyed(f"this key was destroyed at {row.destroyed_at}")
    wrapped = bytes(row.wrapped)
    source = configured()
    if source.remote and (known := cache.opened.get(row.id, wrapped, consent_version)):
        return known
    key = source.unwrap(row.epoch_id, wrapped, wrap_aad(row, row.epoch_id))
    if source.remote:
        cache.opened.put(row.id, wrapped, consent_version, key)
    return key


@lru_cache
def data_keys(number: int) -> Prepared[DataKey]:
    """The question for so many data keys at once, whose ids are given as ``id_0``, ``id_1`` and on."""
    ids: Any = [Given(f"id_{each}", UUIDField()) for each in range(number)]
    return Prepared(Whole(DataKey), lambda: DataKey.objects.filter(id__in=ids), KEYSTORE)


def open_data_key(data_key_id: UUID, unit: Unit, consent_version: int = cache.NO_VERSION) -> bytes:
    """The data key of this unit; raises UnitMismatch when the key belongs to another one."""
    return open_data_keys([(data_key_id, unit)], consent_version)[data_key_id]


def open_data_keys(
    wanted: Collection[tuple[UUID, Unit]], consent_version: int = cache.NO_VERSION
) -> dict[UUID, bytes]:
    """The data keys of these units by their ids, read by one query: all, or what ``open_key`` raises.

    Raises UnitMismatch when a key belongs to another unit.
    """
    ids = {data_key_id for data_key_id, _unit in wanted}
    if not ids:
        return {}
    numbered = {f"id_{number}": id for number, id in enumerate(ids)}
    found = open_keys(partial(data_keys(len(ids)).all, **numbered), consent_version)
    if len(found) < len(ids):
        raise KeyMissing(MISSING)
    units = {row.id: row.unit for row, _key in found}
    if any(units[data_key_id] != unit for data_key_id, unit in wanted):
        raise UnitMismatch("this data key belongs to another erasure unit")
    return {row.id: key for row, key in found}


def entomb(rows: QuerySet[AnyKey]) -> None:
    """Destroy the wrapped bytes of these rows and leave tombstones; older tombstones stay."""
    with keystore():
        changed = rows.filter(destroyed_at=None).update(wrapped=None, destroyed_at=timezone.now())
        if changed:
            scrub()


def scrub() -> None:
    """Remove what SQLite's write-ahead log still holds of overwritten rows, once they are
    committed.

    ``secure_delete`` clears the database file itself. PostgreSQL keeps old row versions and its log
    for a while: there only the end of the epoch makes them useless, as it does for every backup.
    """
    if connections[KEYSTORE].vendor == "sqlite":
        transaction.on_commit(empty_journal, using=KEYSTORE)


def empty_journal() -> None:
    """Write SQLite's log of the keystore back and cut it off.

    SQLite waits for who reads or writes, but not for another who writes the log back at that moment:
    it says so and has done nothing, so it is asked again. The rows are committed by now: whoever reads for
    longer than all that cannot undo the erasure, and the next one empties the log.
    """
    until = monotonic() + JOURNAL_PATIENCE
    while True:
        with connections[KEYSTORE].cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            (busy, _pages, _written) = cursor.fetchone()
        if not busy:
            return
        if monotonic() > until:
            break
        sleep(0.01)
    logger.warning(
        "The keystore's write-ahead log could not be emptied, because something reads the keystore for "
        "long; what was destroyed stays in it until a key is destroyed again."
    )
