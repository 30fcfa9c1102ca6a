"""Opened keys are remembered for a minute at most, and never against a tombstone or a changed consent."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.db import connections
from uuid_utils.compat import uuid7

from tests.vault.bao import Bao
from tests.vault.cast import Place, Refused, a_place, a_receipt, a_unit
from vault import cache, keys
from vault.cache import KeyCache
from vault.epochs import rotate
from vault.errors import KeyDestroyed, ProviderUnavailable, RootKeyMissing
from vault.keyring import create_data_key, destroy_data_keys, final_destruction
from vault.models import DataKey
from vault.store import seal, unseal

KEY, WRAPPED = os.urandom(32), b"wrapped"


@pytest.fixture
def small() -> Iterator[KeyCache]:
    made = KeyCache(seconds=60, most=3)
    yield made
    made.clear()


def test_a_key_is_found_for_the_same_wrap_and_version_only(small: KeyCache) -> None:
    for wrapped, version in ((b"other", 1), (WRAPPED, 2)):
        id = uuid7()
        small.put(id, WRAPPED, 1, KEY)
        assert small.get(id, WRAPPED, 1) == KEY
        assert small.get(id, wrapped, version) is None
        assert small.get(id, WRAPPED, 1) is None, "what changed is forgotten, not only hidden"
    assert small.get(uuid7(), WRAPPED, 1) is None


def test_the_oldest_goes_and_what_goes_is_overwritten(small: KeyCache) -> None:
    ids = [uuid7() for _ in range(4)]
    for id in ids[:3]:
        small.put(id, WRAPPED, 1, KEY)
    held = small._held[ids[0]].key
    small.put(ids[3], WRAPPED, 1, KEY)
    assert len(small) == 3
    assert held == bytes(32)
    assert small.get(ids[0], WRAPPED, 1) is None


def test_a_key_that_nobody_asks_for_again_is_forgotten_too() -> None:
    short = KeyCache(seconds=0.5)
    held: list[bytearray] = []
    for wait in (0.25, 0):
        id = uuid7()
        short.put(id, WRAPPED, 1, KEY)
        held.append(short._held[id].key)
        time.sleep(wait)
    deadline = time.monotonic() + 30
    while len(short) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(short) == 0
    assert held == [bytes(32), bytes(32)]


def test_a_key_that_is_too_old_is_not_given_even_before_it_is_forgotten() -> None:
    late = KeyCache(seconds=0)
    id = uuid7()
    late.put(id, WRAPPED, 1, KEY)
    assert late.get(id, WRAPPED, 1) is None


def test_a_forked_process_remembers_nothing_even_when_a_thread_was_at_it() -> None:
    cache.opened.put(uuid7(), WRAPPED, 1, KEY)
    with cache.opened._lock:  # as if another thread forked in the middle
        child = os.fork()
        if child == 0:
            status = 100
            try:
                status = len(cache.opened) + 10 * cache.opened._lock.locked()
            finally:
                os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(cache.opened) == 1
    cache.opened.clear()


# --- an installation whose epoch keys are on a server ----------------------------------------


def open_once(place: Place) -> None:
    sealed = seal(place.permit, *place.where, b"happy")
    assert unseal(place.permit, a_receipt(place.permit), *place.where, sealed).reveal() == b"happy"


def test_within_a_minute_a_server_that_is_away_is_not_missed(on_a_server: Bao) -> None:
    place = a_place()
    open_once(place)
    with on_a_server.sealed():
        open_once(place)
        with pytest.raises(ProviderUnavailable):
            create_data_key(a_unit())
        place.permit.consent_version += 1
        with pytest.raises(ProviderUnavailable):
            open_once(place)
    open_once(place)
    assert not (settings.KEYS_DIR / "epochs").exists()


def test_a_remembered_key_does_not_open_what_another_process_destroyed(on_a_server: Bao) -> None:
    place = a_place()
    sealed = seal(place.permit, *place.where, b"happy")
    unseal(place.permit, a_receipt(place.permit), *place.where, sealed)
    held = cache.opened._held[place.key_id].key

    def another() -> None:  # has a connection of its own, and no say over this cache
        destroy_data_keys([place.key_id])
        connections.close_all()

    withdrawal = threading.Thread(target=another)
    withdrawal.start()
    withdrawal.join()
    assert held != bytes(32), "the stale key is still in memory"
    with pytest.raises(KeyDestroyed):
        unseal(place.permit, a_receipt(place.permit), *place.where, sealed)
    place.permit.refuse = True
    with pytest.raises(Refused):
        unseal(place.permit, a_receipt(place.permit), *place.where, sealed)


def test_erasure_is_not_final_while_a_process_may_remember_the_key(
    on_a_server: Bao, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = a_place()
    destroy_data_keys([place.key_id])
    rotate()
    assert final_destruction([place.key_id]) is None
    monkeypatch.setattr(cache, "SECONDS", 0)
    assert final_destruction([place.key_id]) is not None


def test_rotation_moves_everything_to_the_next_named_key(on_a_server: Bao) -> None:
    place, dead = a_place(), a_place()
    sealed = seal(place.permit, *place.where, b"happy")
    row = DataKey.objects.get(id=place.key_id)
    before = (row.epoch_id, bytes(row.wrapped or b""))
    destroy_data_keys([dead.key_id])
    rotate()
    opened = unseal(place.permit, a_receipt(place.permit), *place.where, sealed)
    assert opened.reveal() == b"happy"
    # The backup of yesterday, written back: nothing remembered and nothing on the server opens it.
    DataKey.objects.filter(id=row.id).update(epoch_id=before[0], wrapped=before[1])
    with pytest.raises(RootKeyMissing):
        keys.open_data_key(place.key_id, place.unit)


def test_keys_in_files_are_not_remembered(place: Place) -> None:
    open_once(place)
    assert len(cache.opened) == 0
