"""Data keys: made anew each time, destroyed for good, leaving tombstones."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import time_machine
from django.db import DatabaseError, IntegrityError, connections, transaction
from uuid_utils.compat import uuid7

from tests.databases import is_sqlite
from tests.vault.cast import a_unit
from vault import keys
from vault.epochs import current, rotate
from vault.errors import KeyDestroyed, KeyMissing, KeystoreUnavailable, UnitMismatch, WrongRootKey
from vault.index import index
from vault.keyring import (
    create_data_key,
    data_key_ids,
    destroy_data_keys,
    final_destruction,
)
from vault.models import DataKey, Epoch, EpochState, ServiceKey, TagKey
from vault.tags import destroy_tag_key, tagger

pytestmark = pytest.mark.usefixtures("fresh_db")


def test_every_call_makes_another_key() -> None:
    unit = a_unit()
    first, second = create_data_key(unit), create_data_key(unit)
    assert first != second
    assert keys.open_data_key(first, unit) != keys.open_data_key(second, unit)
    assert len(keys.open_data_key(first, unit)) == 32


def test_key_is_stored_wrapped_only() -> None:
    unit = a_unit()
    key_id = create_data_key(unit)
    row = DataKey.objects.get(id=key_id)
    assert row.epoch_id == current().id
    assert keys.open_data_key(key_id, unit) not in bytes(row.wrapped or b"")


def test_keys_are_found_by_subject_purpose_category_and_recording() -> None:
    subject, purpose, recording = uuid7(), uuid7(), uuid7()
    media = create_data_key(
        a_unit(subject_id=subject, purpose_id=purpose, category="media", recording_id=recording)
    )
    result = create_data_key(a_unit(subject_id=subject, purpose_id=purpose, recording_id=recording))
    contact = create_data_key(a_unit(subject_id=subject, purpose_id=None, category="contact"))
    create_data_key(a_unit(purpose_id=purpose, recording_id=recording))  # somebody else's
    assert data_key_ids(subject_id=subject) == [media, result, contact]
    assert data_key_ids(subject_id=subject, purpose_id=purpose) == [media, result]
    assert data_key_ids(subject_id=subject, purpose_id=None) == [contact]
    assert data_key_ids(subject_id=subject, category="media") == [media]
    assert data_key_ids(subject_id=subject, recording_id=recording) == [media, result]
    assert data_key_ids(subject_id=subject, purpose_id=uuid7()) == []


def test_destroyed_key_leaves_a_tombstone() -> None:
    unit = a_unit(recording_id=uuid7())
    key_id = create_data_key(unit)
    with time_machine.travel(datetime(2030, 1, 1, tzinfo=UTC), tick=False):
        (destroyed,) = destroy_data_keys([key_id])
    assert destroyed.id == key_id
    assert destroyed.epoch_id == current().id
    assert destroyed.destroyed_at == datetime(2030, 1, 1, tzinfo=UTC)
    row = DataKey.objects.get(id=key_id)
    assert row.wrapped is None
    assert row.unit == unit
    assert data_key_ids(subject_id=unit.subject_id) == []
    assert data_key_ids(subject_id=unit.subject_id, include_destroyed=True) == [key_id]
    with pytest.raises(KeyDestroyed):
        keys.open_data_key(key_id, unit)


def test_destroying_again_changes_nothing() -> None:
    key_id = create_data_key(a_unit())
    assert destroy_data_keys([key_id]) == destroy_data_keys([key_id, key_id])


def test_destroying_leaves_other_keys_alone() -> None:
    unit = a_unit()
    one, other = create_data_key(unit), create_data_key(unit)
    destroy_data_keys([one])
    assert keys.open_data_key(other, unit)


def test_unknown_key_is_no_tombstone() -> None:
    assert destroy_data_keys([uuid7()]) == []
    with pytest.raises(KeyMissing):
        keys.open_data_key(uuid7(), a_unit())


def test_key_of_another_unit_is_not_opened() -> None:
    key_id = create_data_key(a_unit())
    with pytest.raises(UnitMismatch):
        keys.open_data_key(key_id, a_unit())


def test_wrapped_key_moved_to_another_row_does_not_open() -> None:
    unit = a_unit()
    one, other = create_data_key(unit), create_data_key(unit)
    wrapped = DataKey.objects.get(id=one).wrapped
    DataKey.objects.filter(id=other).update(wrapped=wrapped)
    with pytest.raises(WrongRootKey):
        keys.open_data_key(other, unit)


def test_row_given_to_another_person_does_not_open() -> None:
    unit, thief = a_unit(), a_unit()
    key_id = create_data_key(unit)
    DataKey.objects.filter(id=key_id).update(
        subject_id=thief.subject_id, purpose_id=thief.purpose_id
    )
    with pytest.raises(WrongRootKey):
        keys.open_data_key(key_id, thief)


# --- T2 --------------------------------------------------------------------------------------------


def test_final_destruction_is_when_the_last_epoch_ends() -> None:
    first, second = create_data_key(a_unit()), create_data_key(a_unit())
    destroy_data_keys([first])
    assert final_destruction([first]) is None
    epoch = current()
    with time_machine.travel(datetime(2030, 1, 1, tzinfo=UTC), tick=False):
        rotate()
    assert final_destruction([first]) == datetime(2030, 1, 1, tzinfo=UTC)
    assert Epoch.objects.get(id=epoch.id).destroyed_at == datetime(2030, 1, 1, tzinfo=UTC)
    # The second key lived on under the next epoch.
    destroy_data_keys([second])
    assert final_destruction([first, second]) is None
    with time_machine.travel(datetime(2031, 1, 1, tzinfo=UTC), tick=False):
        rotate()
    assert final_destruction([first, second]) == datetime(2031, 1, 1, tzinfo=UTC)


def test_final_destruction_waits_for_the_log_entry() -> None:
    key_id = create_data_key(a_unit())
    destroy_data_keys([key_id])
    rotate()
    Epoch.objects.filter(state=EpochState.DESTROYED).update(destroyed_entry=None)
    assert final_destruction([key_id]) is None


def test_final_destruction_is_never_claimed_for_a_living_or_unknown_key() -> None:
    key_id, living = create_data_key(a_unit()), create_data_key(a_unit())
    destroy_data_keys([key_id])
    rotate()
    assert final_destruction([key_id]) is not None
    assert final_destruction([key_id, living]) is None
    assert final_destruction([key_id, uuid7()]) is None


def test_without_keys_there_was_nothing_to_destroy() -> None:
    with time_machine.travel(datetime(2030, 1, 1, tzinfo=UTC), tick=False):
        assert final_destruction([]) == datetime(2030, 1, 1, tzinfo=UTC)


# --- what is left behind -----------------------------------------------------------------------------


def keystore_files() -> bytes:
    name = Path(connections["keystore"].settings_dict["NAME"])
    return b"".join(path.read_bytes() for path in sorted(name.parent.glob(name.name + "*")))


@pytest.mark.parametrize("many", [1, 200])
def test_no_residue_in_the_keystore_file(many: int) -> None:
    if not is_sqlite():
        pytest.skip("PostgreSQL keeps old row versions: there the end of the epoch counts")
    ids = [create_data_key(a_unit()) for _ in range(many)]
    wraps = [bytes(row.wrapped or b"") for row in DataKey.objects.filter(id__in=ids)]
    assert all(wrapped in keystore_files() for wrapped in wraps)
    destroy_data_keys(ids)
    left = keystore_files()
    assert not any(wrapped[1:13] in left or wrapped[-32:] in left for wrapped in wraps)


# --- the database's own rules --------------------------------------------------------------------------


def refused(change: Callable[[], object]) -> None:
    with pytest.raises(DatabaseError), transaction.atomic(using="keystore"):
        change()


def test_tombstone_is_never_filled_again() -> None:
    key_id = create_data_key(a_unit())
    wrapped = DataKey.objects.get(id=key_id).wrapped
    destroy_data_keys([key_id])
    refused(lambda: DataKey.objects.filter(id=key_id).update(wrapped=wrapped, destroyed_at=None))
    refused(lambda: DataKey.objects.filter(id=key_id).update(subject_id=uuid7()))
    assert DataKey.objects.get(id=key_id).wrapped is None


def test_key_row_is_never_deleted_or_replaced() -> None:
    key_id = create_data_key(a_unit())
    tagger(uuid7(), None)
    for model in (DataKey, TagKey, ServiceKey, Epoch):
        table = model._meta.db_table
        refused(lambda table=table: execute(f"DELETE FROM {table}"))
        if is_sqlite():
            refused(lambda t=table: execute(f"INSERT OR REPLACE INTO {t} SELECT * FROM {t}"))
        else:
            refused(lambda t=table: execute(f"TRUNCATE {t} CASCADE"))
    assert DataKey.objects.filter(id=key_id).exists()


def test_no_key_row_is_replaced_by_one_of_the_same_owner_or_use() -> None:
    """Else a tombstone goes, and a living key of the same name stands in its place."""
    if not is_sqlite():
        pytest.skip("REPLACE is SQLite's")
    subject, purpose = uuid7(), uuid7()
    for owner in (purpose, None):
        tagger(subject, owner)
        destroy_tag_key(subject, owner)
    index(purpose, "email", "x")
    for model, changed in (
        (TagKey, {"wrapped": "x'00'", "destroyed_at": "NULL"}),
        (ServiceKey, {"created_at": "'2026-01-01'"}),
        (Epoch, {"created_at": "'2026-01-01'"}),
    ):
        table = model._meta.db_table
        names = [f'"{field.column}"' for field in model._meta.concrete_fields]
        told = {"id": f"'{uuid7().hex}'"} | changed
        values = ", ".join(told.get(name.strip('"'), name) for name in names)
        before = sorted(model.objects.values_list("id", "created_at"))
        for row in before:
            refused(
                lambda t=table, n=names, v=values, r=row: execute(
                    f"INSERT OR REPLACE INTO {t} ({', '.join(n)}) SELECT {v} FROM {t} "
                    f"WHERE id = '{r[0].hex}'"
                )
            )
        assert sorted(model.objects.values_list("id", "created_at")) == before
    create_data_key(a_unit())
    refused(
        lambda: execute(
            "INSERT OR REPLACE INTO vault_datakey (rowid, id, epoch_id, wrapped, created_at, subject_id, "
            "category) SELECT (SELECT max(rowid) FROM vault_datakey), '0', id, x'00', created_at, id, "
            "'media' FROM vault_epoch"
        )
    )


def execute(statement: str) -> None:
    with connections["keystore"].cursor() as cursor:
        cursor.execute(statement)


def test_destroyed_epoch_stays_destroyed() -> None:
    old = current()
    rotate()
    refused(
        lambda: Epoch.objects.filter(id=old.id).update(state=EpochState.CLOSED, destroyed_at=None)
    )


def test_key_without_bytes_must_be_a_tombstone() -> None:
    key_id = create_data_key(a_unit())
    with pytest.raises(IntegrityError), transaction.atomic(using="keystore"):
        DataKey.objects.filter(id=key_id).update(wrapped=None)


def test_keystore_that_cannot_be_reached_is_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = a_unit()
    key_id = create_data_key(unit)
    connection = connections["keystore"]
    connection.close()
    nowhere = tmp_path / "gone" / "keystore.sqlite3" if is_sqlite() else "consentry_no_such_base"
    monkeypatch.setitem(connection.settings_dict, "NAME", str(nowhere))
    for attempt in (
        lambda: keys.open_data_key(key_id, unit),
        lambda: create_data_key(unit),
        lambda: destroy_data_keys([key_id]),
        lambda: data_key_ids(subject_id=unit.subject_id),
        lambda: final_destruction([key_id]),
        lambda: tagger(uuid7(), None),
    ):
        with pytest.raises(KeystoreUnavailable):
            attempt()
    connection.close()
