"""The first start, every later start, and the starts that must not go on."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.conf import settings
from django.core.checks import run_checks
from django.db import connections
from uuid_utils.compat import uuid7

from audit_log.actions import Action
from audit_log.entries import Draft
from audit_log.log import append_durable
from tests.databases import is_sqlite
from tests.vault.cast import Place, a_unit
from vault import keys
from vault.credentials import open_credential, seal_credential
from vault.epochs import current
from vault.errors import DatabaseLost, InsecureKeyFile, KeyMissing, RootKeyMissing, WrongRootKey
from vault.keyring import create_data_key
from vault.models import DataKey, Epoch, EpochState, ServiceKey
from vault.providers.file import FileProvider
from vault.setup import ensure_root, require_both_databases

pytestmark = pytest.mark.usefixtures("fresh_db")


def key_folder() -> Path:
    return settings.KEYS_DIR / "epochs"


@pytest.fixture
def empty_keystore(fresh_db: None) -> None:
    """A migrated keystore without a row, and no key folder."""
    with connections["keystore"].cursor() as cursor:
        for model in (DataKey, ServiceKey, Epoch):
            table = model._meta.db_table
            if is_sqlite():
                cursor.execute(f"DROP TRIGGER {table}_delete_refused")
            else:
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            cursor.execute(f"DELETE FROM {table}")
    shutil.rmtree(key_folder())


@pytest.mark.usefixtures("empty_keystore")
def test_first_start_makes_epoch_and_credential_key() -> None:
    ensure_root()
    assert [path.stem for path in key_folder().iterdir()] == [str(current().id)]
    assert ServiceKey.objects.get().use == "credential"
    assert open_credential("totp", seal_credential("totp", b"x")) == b"x"


@pytest.mark.usefixtures("empty_keystore")
def test_an_empty_keystore_is_refused_when_there_was_another() -> None:
    require_both_databases()
    (key_folder()).mkdir(mode=0o700)
    (key_folder() / "one.key").touch()
    with pytest.raises(DatabaseLost, match="has keys of epochs: restore the keystore"):
        require_both_databases()
    shutil.rmtree(key_folder())
    append_durable(Draft(action=Action.LOG_START, actor="system:setup"))
    with pytest.raises(DatabaseLost, match="has an access log: restore the keystore"):
        require_both_databases()


def test_an_empty_main_database_is_refused_when_there_was_another() -> None:
    require_both_databases()
    create_data_key(a_unit())
    with pytest.raises(DatabaseLost, match="has keys of people: restore the main database"):
        require_both_databases()
    append_durable(Draft(action=Action.LOG_START, actor="system:setup"))
    require_both_databases()


@pytest.mark.usefixtures("empty_keystore")
def test_two_first_starts_at_once_make_one_epoch() -> None:
    def start(_: int) -> None:
        try:
            ensure_root()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(start, range(4)))
    assert Epoch.objects.count() == 1
    assert ServiceKey.objects.count() == 1
    assert len(list(key_folder().iterdir())) == 1


@pytest.mark.usefixtures("empty_keystore")
def test_first_start_that_was_cut_short_is_finished() -> None:
    begun = Epoch.objects.create()
    ensure_root()
    assert current().id == begun.id
    ServiceKey.objects.all().delete()  # killed before the last step
    ensure_root()
    assert ServiceKey.objects.count() == 1


def test_later_start_changes_nothing(place: Place) -> None:
    before = list(Epoch.objects.values_list()), list(ServiceKey.objects.values_list())
    files = {path: path.read_bytes() for path in key_folder().iterdir()}
    ensure_root()
    assert before == (list(Epoch.objects.values_list()), list(ServiceKey.objects.values_list()))
    assert files == {path: path.read_bytes() for path in key_folder().iterdir()}


def lose_folder() -> None:
    shutil.rmtree(key_folder())


def lose_file() -> None:
    (key_folder() / f"{current().id}.key").unlink()


def other_key() -> None:
    (key_folder() / f"{current().id}.key").write_bytes(os.urandom(32))


def open_folder() -> None:
    key_folder().chmod(0o755)


def open_file() -> None:
    (key_folder() / f"{current().id}.key").chmod(0o644)


@pytest.mark.parametrize(
    ("harm", "error"),
    [
        (lose_folder, RootKeyMissing),
        (lose_file, RootKeyMissing),
        (other_key, WrongRootKey),
        (open_folder, InsecureKeyFile),
        (open_file, InsecureKeyFile),
    ],
)
def test_keystore_without_its_keys_is_refused_and_nothing_is_overwritten(
    place: Place, harm: Callable[[], None], error: type[Exception]
) -> None:
    harm()
    before = sorted(key_folder().iterdir()) if key_folder().exists() else None
    rows = list(Epoch.objects.values_list())
    with pytest.raises(error):
        ensure_root()
    assert before == (sorted(key_folder().iterdir()) if key_folder().exists() else None)
    assert rows == list(Epoch.objects.values_list())
    with pytest.raises(error):
        keys.open_data_key(place.key_id, place.unit)


def test_keys_that_come_back_open_again(place: Place) -> None:
    path = key_folder() / f"{current().id}.key"
    path.rename(path.with_suffix(".away"))
    with pytest.raises(RootKeyMissing):
        ensure_root()
    path.with_suffix(".away").rename(path)
    ensure_root()
    assert keys.open_data_key(place.key_id, place.unit)


def test_keystore_that_lost_its_credential_key_is_refused(place: Place) -> None:
    ServiceKey.objects.update(use="index", purpose_id=uuid7())
    with pytest.raises(KeyMissing):
        ensure_root()


def test_closed_epoch_needs_its_key_too() -> None:
    lost = Epoch.objects.create(state=EpochState.CLOSED, proof=b"\x01" + bytes(60))
    with pytest.raises(RootKeyMissing, match=str(lost.id)):
        ensure_root()


def test_key_files_without_a_keystore_are_left_alone(empty_keystore: None) -> None:
    stranger = uuid7()
    provider = FileProvider(key_folder())
    provider.create(stranger)
    before = provider.path(stranger).read_bytes()
    ensure_root()
    assert provider.path(stranger).read_bytes() == before
    assert len(list(key_folder().iterdir())) == 2


# --- checks of a deployment ----------------------------------------------------------------------------


def found() -> list[str]:
    reported = run_checks(tags=["security"], include_deployment_checks=True)
    return [str(each.id) for each in reported if str(each.id).startswith("vault.")]


def test_good_deployment_passes() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("harm", "check"),
    [(lose_folder, "vault.E001"), (open_folder, "vault.E001"), (open_file, "vault.E002")],
)
def test_bad_deployment_is_told(harm: Callable[[], None], check: str) -> None:
    harm()
    assert found() == [check]


def test_keys_among_the_data_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "VAR_DIR", settings.KEYS_DIR.parent)
    assert found() == ["vault.E003"]
    monkeypatch.setattr(settings, "VAR_DIR", settings.KEYS_DIR / "var")
    assert found() == []


def test_routing_keeps_the_databases_apart() -> None:
    tables = {
        alias: set(connections[alias].introspection.table_names())
        for alias in ("default", "keystore")
    }
    assert not any(name.startswith("vault_") for name in tables["default"])
    assert tables["keystore"] == {
        "vault_epoch",
        "vault_datakey",
        "vault_tagkey",
        "vault_servicekey",
        "django_migrations",
    }
