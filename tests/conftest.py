"""Fixtures that every test may use."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.db import connections
from django.test import Client
from django.utils import timezone, translation
from hypothesis import HealthCheck
from hypothesis import settings as properties
from pytest_django.plugin import DjangoDbBlocker
from whitenoise.base import WhiteNoise
from whitenoise.responders import StaticFile

from tests.cast import Person, Study, consenting, open_study
from tests.databases import Templates, is_sqlite
from tests.made_once import house
from tests.processes import KEEPER, WORKER, running
from tests.two_roles import TwoRoles
from tests.vault.bao import Bao
from tests.watching import watched, watched_stream
from tools.selection import part_of

# Each test makes its operators anew; their random passwords need no slow hash to be unguessable.
Argon2PasswordHasher.time_cost, Argon2PasswordHasher.memory_cost = 1, 1024
Argon2PasswordHasher.parallelism = 1
# How long an example takes depends on what else the machine does: no test fails for that.
properties.register_profile("any-load", deadline=None, suppress_health_check=[HealthCheck.too_slow])
properties.load_profile("any-load")
_scan = WhiteNoise.add_files
_scanned: dict[tuple[str, str | None], dict[str, StaticFile]] = {}


def add_files_once(self: WhiteNoise, root: str, prefix: str | None = None) -> None:
    """Each test client starts the middleware anew, which reads every static file: once is enough."""
    if (root, prefix) not in _scanned:
        _scan(self, root, prefix)
        _scanned[root, prefix] = dict(self.files)
    self.files.update(_scanned[root, prefix])


WhiteNoise.add_files = add_files_once
KEYSTORE_TABLES = ("vault_datakey", "vault_tagkey", "vault_servicekey", "vault_epoch")

SEALED_AND_THROWN_AWAY = {("PATCH", 400), ("PATCH", 460)}
"""Answers to bytes that broke off or differ from their checksum: the upload's key has sealed them."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Nothing reaches outside this machine."""
    for item in items:
        item.add_marker(pytest.mark.allow_hosts(["127.0.0.1", "::1", "localhost"]))


@pytest.fixture(scope="session")
def templates(django_db_blocker: DjangoDbBlocker) -> Iterator[Templates]:
    """Migrated databases with root keys, made once per test process."""
    from audit_log.promises import ensure_promise_key
    from audit_log.signing import ensure_key
    from vault.setup import ensure_root

    with django_db_blocker.unblock():
        made = Templates()
        ensure_root()
        ensure_key()
        ensure_promise_key()
        made.close()
    # Blocked again between the tests: one that asks a database must say so by its fixtures.
    yield made
    with django_db_blocker.unblock():
        made.remove()


@pytest.fixture
def fresh_db(
    request: pytest.FixtureRequest,
    templates: Templates,
    django_db_blocker: DjangoDbBlocker,
    tmp_path: Path,
) -> Iterator[None]:
    """A fresh pair of databases with real commits."""
    with django_db_blocker.unblock():
        templates.checkout(tmp_path)
        house.watch()
        # Under other processes, or the threads of a server, nothing is replaced.
        house.holds = "" if part_of(request.node) in {"", "queue"} else "nothing"
        yield
        house.holds = ""
        templates.checkin()


@pytest.fixture(scope="session")
def roles(
    templates: Templates,
    django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[TwoRoles]:
    """Databases whose owner is another role than the application's, made once per test process."""
    if is_sqlite():
        pytest.skip("SQLite has no roles")
    with django_db_blocker.unblock():
        made = TwoRoles(tmp_path_factory.mktemp("roles"))
        made.fill()
    yield made
    with django_db_blocker.unblock():
        made.remove()


@pytest.fixture
def as_application(
    roles: TwoRoles, django_db_blocker: DjangoDbBlocker, tmp_path: Path
) -> Iterator[TwoRoles]:
    """A fresh pair of databases, connected as the role that owns nothing in them."""
    with django_db_blocker.unblock(), roles.copy(tmp_path):
        yield roles


@pytest.fixture(scope="session")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    """A real OpenBao server, started for the first test that needs it."""
    made = Bao(tmp_path_factory.mktemp("bao"))
    yield made
    made.close()


@pytest.fixture
def on_a_server(fresh_db: None, bao: Bao, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bao]:
    """A new keystore whose epoch keys a Transit server holds."""
    from vault import cache, providers
    from vault.setup import ensure_root

    with connections["keystore"].cursor() as cursor:
        for table in KEYSTORE_TABLES:
            if is_sqlite():
                cursor.execute(f"DROP TRIGGER {table}_delete_refused")
            else:
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            cursor.execute(f"DELETE FROM {table}")
    shutil.rmtree(settings.KEYS_DIR / "epochs")
    url, token = bao.mount()
    monkeypatch.setattr(settings, "TRANSIT_URL", url)
    monkeypatch.setattr(settings, "TRANSIT_TOKEN_FILE", token)
    ensure_root()
    yield bao
    providers.key_server(url, token, "").client.close()
    providers.key_server.cache_clear()
    cache.opened.clear()


@pytest.fixture
def study(fresh_db: None) -> Study:
    """An open study with everybody who works in it; some test files have a special one."""
    return open_study()


@pytest.fixture
def person(study: Study) -> Person:
    """Somebody who said yes to the study."""
    return consenting(study)


@pytest.fixture
def worker(fresh_db: None, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A real Celery worker process on this test's databases."""
    with running(WORKER, tmp_path / "worker.log") as child:
        yield child


@pytest.fixture
def keeper(fresh_db: None, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A real keeper process on this test's databases."""
    with running(KEEPER, tmp_path / "keeper.log") as child:
        yield child


@pytest.fixture(autouse=True)
def no_language_or_time_zone_is_left_over() -> None:
    """The last request of the test before has activated both in this thread."""
    translation.deactivate()
    timezone.deactivate()


@pytest.fixture(autouse=True)
def every_request_writes_down_what_it_touches(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever a test asks for: an answer that opened or changed something about a person has an entry."""
    ask, asked = Client.request, []

    def ask_watched(client: Client, **request: Any) -> Any:
        with watched() as touches:
            answer = ask(client, **request)
        if (request["REQUEST_METHOD"], answer.status_code) not in SEALED_AND_THROWN_AWAY:
            asked.append((request["REQUEST_METHOD"], request["PATH_INFO"], touches))
        if answer.streaming:
            answer.streaming_content = watched_stream(iter(answer.streaming_content), touches)
        return answer

    monkeypatch.setattr(Client, "request", ask_watched)
    yield
    assert not [(*what, touches.unwritten) for *what, touches in asked if touches.unwritten]
