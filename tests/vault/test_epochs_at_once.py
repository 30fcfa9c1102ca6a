"""Rotations beside each other, and beside whoever uses keys meanwhile: nobody meets an error of it."""

from __future__ import annotations

import threading
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.db import connections

from tests.at_once import at_once
from tests.vault.cast import Place, a_unit
from tests.vault.household import Household, check_finished, key_files
from vault import epochs, keys
from vault.epochs import current, rotate
from vault.errors import WrongRootKey
from vault.keyring import create_data_key
from vault.models import DataKey, Epoch
from vault.providers.file import FileProvider

pytestmark = pytest.mark.usefixtures("fresh_db")


def overtaken_once(
    monkeypatch: pytest.MonkeyPatch, step: str, error: Exception | None = None
) -> list[Epoch]:
    """Let a rotation come and go just before a key is first wrapped or unwrapped; the epoch that it opened.

    error: what the step comes to then, where the epoch's key is gone before it was read.
    """
    provider, rotated = FileProvider(settings.KEYS_DIR / "epochs"), list[Epoch]()
    plain = getattr(provider, step)

    def slow(*given: Any) -> bytes:
        if not rotated:
            rotated.append(rotate())
            if error is not None:
                raise error
        return bytes(plain(*given))

    monkeypatch.setattr(provider, step, slow)
    monkeypatch.setattr(keys, "configured", lambda: provider)
    return rotated


def test_key_that_is_moved_between_reading_and_unwrapping_still_opens(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = keys.open_data_key(place.key_id, place.unit)
    rotated = overtaken_once(monkeypatch, "unwrap")
    assert keys.open_data_key(place.key_id, place.unit) == before
    assert rotated


def test_epoch_is_opened_after_the_one_that_was_seen(place: Place) -> None:
    seen = current().id
    rotate()
    epochs.open_next(epochs.configured(), seen)
    epochs.open_next(epochs.configured(), None)
    assert Epoch.objects.count() == 2


def test_rotation_overtaken_by_another_is_no_error(place: Place) -> None:
    old = current()
    overtaken: list[Epoch] = []

    class Slow(FileProvider):
        def rewrap(self, old: UUID, new: UUID, bound: Any) -> list[bytes]:
            if not overtaken:
                overtaken.append(rotate())
            return super().rewrap(old, new, bound)

    new = rotate(Slow(settings.KEYS_DIR / "epochs"))
    assert [new] == overtaken
    assert key_files() == {str(new.id)} != {str(old.id)}


@pytest.mark.parametrize("late", ["before it reads", "while the key is overwritten", "after it"])
def test_rotation_goes_on_under_the_epoch_that_a_newer_one_opened(
    household: Household, late: str
) -> None:
    """Another rotation opens the next epoch while this one is at its only batch of a kind."""
    before, overtaken = current().id, list[UUID]()

    class Slow(FileProvider):
        def rewrap(self, old: UUID, new: UUID, bound: Any) -> list[bytes]:
            if overtaken:
                return super().rewrap(old, new, bound)
            moved = super().rewrap(old, new, bound)
            overtaken.append(new)
            epochs.open_next(epochs.configured(), new)
            if late == "after it":
                return moved
            rotate()
            if late == "before it reads":
                return super().rewrap(old, new, bound)
            raise WrongRootKey

    rotate(Slow(settings.KEYS_DIR / "epochs"))
    rotate()
    assert current().id not in {before, *overtaken}
    check_finished(household, before)


def test_key_that_is_overwritten_while_it_is_read_still_opens(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = keys.open_data_key(place.key_id, place.unit)
    # What random bytes in the file's place come to.
    rotated = overtaken_once(monkeypatch, "unwrap", WrongRootKey())
    assert keys.open_data_key(place.key_id, place.unit) == before
    assert rotated


def test_key_is_made_though_a_rotation_came_and_went(monkeypatch: pytest.MonkeyPatch) -> None:
    rotated = overtaken_once(monkeypatch, "wrap")
    made = create_data_key(unit := a_unit())
    assert len(keys.open_data_key(made, unit)) == 32
    assert DataKey.objects.get(id=made).epoch_id == rotated[0].id


def test_keys_made_during_rotations_all_open() -> None:
    made: list[tuple[UUID, Any]] = []
    failed: list[BaseException] = []
    stop = threading.Event()

    def work() -> None:
        try:
            while not stop.is_set() and len(made) < 200:
                unit = a_unit()
                key_id = create_data_key(unit)
                keys.open_data_key(key_id, unit)
                made.append((key_id, unit))
        except BaseException as error:
            failed.append(error)
        finally:
            connections.close_all()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for _ in range(4):
        rotate()
    stop.set()
    for worker in workers:
        worker.join()
    assert failed == []
    assert made
    rotate()
    assert all(len(keys.open_data_key(key_id, unit)) == 32 for key_id, unit in made)


def test_two_rotations_at_once_do_no_harm(household: Household) -> None:
    failed: list[BaseException] = []

    def work() -> None:
        try:
            rotate()
        except BaseException as error:
            failed.append(error)

    before = current().id
    at_once(work, work)
    assert failed == []
    check_finished(household, before)
