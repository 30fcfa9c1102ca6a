"""Rotation: survivors move, the old epoch dies, and being killed anywhere changes nothing of that."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import time_machine
from django.conf import settings
from django.db import OperationalError, connections, transaction
from django.utils import timezone

from audit_log.actions import Action
from audit_log.errors import AppendInsideTransaction, LogUnavailable
from tests.databases import is_sqlite, point
from tests.vault.cast import Place, a_unit
from tests.vault.household import Household, check_finished, entries, key_files
from vault import epochs, keys
from vault.epochs import current, is_due, rotate, rotate_if_due
from vault.errors import (
    KeyDestroyed,
    KeystoreUnavailable,
    RootKeyMissing,
    VaultError,
    WrapsRemain,
    WrongRootKey,
)
from vault.keyring import create_data_key, destroy_data_keys, final_destruction
from vault.models import DataKey, Epoch, EpochState
from vault.providers.file import FileProvider
from vault.setup import ensure_root

pytestmark = pytest.mark.usefixtures("fresh_db")


class Killed(Exception):
    """Stands for the end of the process."""


def test_rotation_moves_survivors_and_destroys_the_old_epoch(household: Household) -> None:
    old = current()
    new = rotate()
    assert new.id != old.id
    household.check()
    assert key_files() == {str(new.id)}
    assert set(DataKey.objects.filter(destroyed_at=None).values_list("epoch_id", flat=True)) == {
        new.id
    }
    assert DataKey.objects.get(id=household.dead).epoch_id == old.id
    old.refresh_from_db()
    assert old.state == EpochState.DESTROYED
    assert final_destruction([household.dead]) == old.destroyed_at


def test_rotation_is_in_the_log() -> None:
    old = current()
    new = rotate()
    assert entries(Action.EPOCH_OPEN) == [str(old.id), str(new.id)]
    assert entries(Action.EPOCH_DESTROY) == [str(old.id)]
    rotate()
    assert entries(Action.EPOCH_DESTROY) == [str(old.id), str(new.id)]
    assert not Epoch.objects.filter(opened_entry=None).exists()


def test_rotation_inside_a_transaction_of_the_main_database_destroys_nothing() -> None:
    old = current()
    with pytest.raises(AppendInsideTransaction), transaction.atomic():
        rotate()
    assert str(old.id) in key_files()
    rotate()
    assert str(old.id) not in key_files()


def test_new_keys_are_wrapped_under_the_new_epoch() -> None:
    new = rotate()
    assert DataKey.objects.get(id=create_data_key(a_unit())).epoch_id == new.id


def test_many_keys_are_moved_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epochs, "BATCH", 3)
    units = [a_unit() for _ in range(10)]
    made = [(create_data_key(unit), unit) for unit in units]
    before = [keys.open_data_key(key_id, unit) for key_id, unit in made]
    rotate()
    assert [keys.open_data_key(key_id, unit) for key_id, unit in made] == before


# --- what is left of the old epoch ----------------------------------------


def test_old_wraps_are_rejected_after_the_rotation(place: Place) -> None:
    row = DataKey.objects.get(id=place.key_id)
    old_epoch, old_wrap = row.epoch_id, bytes(row.wrapped or b"")
    rotate()
    with pytest.raises(RootKeyMissing):
        FileProvider(settings.KEYS_DIR / "epochs").unwrap(old_epoch, old_wrap, b"")
    # Even written back into the row, as from a backup, it opens nothing.
    DataKey.objects.filter(id=row.id).update(epoch_id=old_epoch, wrapped=old_wrap)
    with pytest.raises(RootKeyMissing):
        keys.open_data_key(place.key_id, place.unit)


def test_restored_keystore_of_yesterday_opens_nothing(household: Household, tmp_path: Path) -> None:
    if not is_sqlite():
        pytest.skip("copies the keystore's file")
    now, backup = str(connections["keystore"].settings_dict["NAME"]), tmp_path / "backup.sqlite3"
    connections["keystore"].close()
    shutil.copyfile(now, backup)
    place = household.place
    destroy_data_keys([place.key_id])
    rotate()
    point("keystore", str(backup))
    with pytest.raises(RootKeyMissing):
        keys.open_data_key(place.key_id, place.unit)
    with pytest.raises(RootKeyMissing):
        ensure_root()


# --- killed anywhere ----------------------------------------


class Fragile(FileProvider):
    """A file provider whose process dies at its n-th step, before or after doing it."""

    def __init__(self, dies_at: int, *, after: bool) -> None:
        super().__init__(settings.KEYS_DIR / "epochs")
        self.left, self.after = dies_at, after

    def step(self, do: Callable[[], Any]) -> Any:
        self.left -= 1
        if self.left == 0 and not self.after:
            raise Killed
        done = do()
        if self.left == 0:
            raise Killed
        return done

    def create(self, epoch_id: UUID) -> None:
        self.step(lambda: super(Fragile, self).create(epoch_id))

    def wrap(self, epoch_id: UUID, key: bytes, aad: bytes) -> bytes:
        return self.step(lambda: super(Fragile, self).wrap(epoch_id, key, aad))

    def rewrap(self, old: UUID, new: UUID, bound: Any) -> list[bytes]:
        return self.step(lambda: super(Fragile, self).rewrap(old, new, bound))

    def destroy(self, epoch_id: UUID) -> None:
        self.step(lambda: super(Fragile, self).destroy(epoch_id))


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_any_step_of_the_provider_it_is_finished_later(
    household: Household, after: bool
) -> None:
    steps = 0
    while True:
        steps += 1
        before = current().id
        try:
            rotate(Fragile(steps, after=after))
        except Killed:
            household.check()  # in the middle of it, everything opens
            assert is_due()
            rotate()
            check_finished(household, before)
        else:
            break
    # create, wrap the proof; move the living keys of each of the three kinds; destroy.
    assert steps - 1 == 2 + 3 + 1


@contextmanager
def dying(alias: str, at: int, error: type[Exception]) -> Iterator[list[str]]:
    """Die at the n-th writing statement on a database, before it is executed."""
    written: list[str] = []

    def execute(run: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith(("INSERT", "UPDATE", "DELETE")):
            written.append(sql)
            if len(written) == at:
                raise error("killed")
        return run(sql, params, many, context)

    with connections[alias].execute_wrapper(execute):
        yield written


def test_killed_at_any_write_to_the_keystore_it_is_finished_later(household: Household) -> None:
    steps = 0
    while True:
        steps += 1
        before = current().id
        with dying("keystore", steps, Killed) as written:
            with suppress(Killed):
                rotate()
            if len(written) < steps:
                break
        household.check()
        rotate()
        check_finished(household, before)
    # new row; close, make current; note the entry; move keys of three kinds; mark; destroyed; note
    assert steps - 1 == 1 + 2 + 1 + 3 + 1 + 1 + 1


def test_without_the_log_nothing_is_destroyed(household: Household) -> None:
    rotate_if_due()  # the first epoch's own entry
    old = current()
    with dying("default", 1, OperationalError), pytest.raises(LogUnavailable):
        rotate()
    assert str(old.id) in key_files()
    household.check()
    rotate()
    check_finished(household, old.id)


def test_destruction_that_is_not_in_the_log_yet_is_not_claimed(household: Household) -> None:
    rotate_if_due()
    old = current()
    with dying("default", 2, OperationalError), pytest.raises(LogUnavailable):
        rotate()
    assert str(old.id) not in key_files()
    assert final_destruction([household.dead]) is None
    rotate_if_due()  # too early to rotate, but the missing entry is written
    assert current().id != old.id
    assert final_destruction([household.dead]) is not None
    check_finished(household, old.id)


# --- what stops a rotation ----------------------------------------


def test_survivor_that_does_not_open_stops_the_rotation(household: Household) -> None:
    old = current()
    spoilt = create_data_key(a_unit())
    DataKey.objects.filter(id=spoilt).update(wrapped=b"\x01" + bytes(60))
    with pytest.raises(WrongRootKey):
        rotate()
    assert str(old.id) in key_files()
    household.check()


def test_epoch_with_a_wrap_left_is_not_destroyed(place: Place) -> None:
    old = current()
    epochs.open_next(epochs.configured(), current().id)
    old.refresh_from_db()
    assert old.state == EpochState.CLOSED
    with pytest.raises(WrapsRemain, match="DataKey"):
        epochs.prove_empty(old)


def test_keys_that_died_during_the_move_stay_dead(place: Place) -> None:
    class Slow(FileProvider):
        def rewrap(self, old: UUID, new: UUID, bound: Any) -> list[bytes]:
            moved = super().rewrap(old, new, bound)
            destroy_data_keys([place.key_id])  # a withdrawal in between wins
            return moved

    rotate(Slow(settings.KEYS_DIR / "epochs"))
    with pytest.raises(KeyDestroyed):
        keys.open_data_key(place.key_id, place.unit)


def test_epoch_that_is_not_current_takes_no_new_wraps(monkeypatch: pytest.MonkeyPatch) -> None:
    old = current().id
    rotate()
    monkeypatch.setattr(keys, "current_epoch_id", lambda: old)
    with pytest.raises(VaultError):  # its key is gone; and were it there, the lock would refuse it
        create_data_key(a_unit())
    assert not keys_share_locked(old)


def test_closed_epoch_takes_no_new_wraps_though_its_key_still_lives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = current().id
    epochs.open_next(epochs.configured(), current().id)
    monkeypatch.setattr(keys, "current_epoch_id", lambda: old)
    with pytest.raises(KeystoreUnavailable, match="kept changing"):
        create_data_key(a_unit())
    assert not DataKey.objects.filter(epoch_id=old).exists()


def test_lost_key_of_a_closed_epoch_stops_the_rotation(place: Place) -> None:
    old = current()
    epochs.open_next(epochs.configured(), old.id)
    (settings.KEYS_DIR / "epochs" / f"{old.id}.key").unlink()
    with pytest.raises(RootKeyMissing):
        rotate()
    old.refresh_from_db()
    assert old.state == EpochState.CLOSED


def test_destroying_epoch_is_not_proved_again(place: Place) -> None:
    old = current()
    rotate()
    epochs.prove_empty(old)
    old.refresh_from_db()
    assert old.state == EpochState.DESTROYED


def keys_share_locked(epoch_id: UUID) -> bool:
    with transaction.atomic(using="keystore"):
        return keys.share_lock(epoch_id)


# --- when to rotate ----------------------------------------


@pytest.mark.parametrize(
    ("age", "erased", "due"),
    [
        (timedelta(hours=1), True, False),
        (timedelta(hours=24), False, False),
        (timedelta(hours=24), True, True),
        (timedelta(days=89), False, False),
        (timedelta(days=90), False, True),
    ],
)
def test_rotation_is_due(age: timedelta, erased: bool, due: bool) -> None:
    key_id = create_data_key(a_unit())
    if erased:
        destroy_data_keys([key_id])
    Epoch.objects.update(opened_at=timezone.now())
    with time_machine.travel(timezone.now() + age + timedelta(minutes=1), tick=False):
        assert is_due() is due
        before = current().id
        assert rotate_if_due() == int(due)
        assert (current().id != before) is due
        assert not is_due()


def test_without_an_epoch_nothing_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    Epoch.objects.update(state=EpochState.CLOSED)
    for attempt in (current, lambda: create_data_key(a_unit())):
        with pytest.raises(KeystoreUnavailable, match="no current epoch"):
            attempt()
