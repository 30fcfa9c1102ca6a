"""Fixtures that every test may use."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests.databases import Templates
from tests.processes import KEEPER, WORKER, running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Nothing reaches outside this machine."""
    for item in items:
        item.add_marker(pytest.mark.allow_hosts(["127.0.0.1", "::1", "localhost"]))


@pytest.fixture(scope="session")
def templates(django_db_blocker: DjangoDbBlocker) -> Iterator[Templates]:
    """Migrated databases with root keys, made once per test process."""
    from audit_log.signing import ensure_key
    from vault.setup import ensure_root

    with django_db_blocker.unblock():
        made = Templates()
        ensure_root()
        ensure_key()
        made.close()
        yield made
        made.remove()


@pytest.fixture
def fresh_db(
    templates: Templates, django_db_blocker: DjangoDbBlocker, tmp_path: Path
) -> Iterator[None]:
    """A fresh pair of databases with real commits."""
    with django_db_blocker.unblock():
        templates.checkout(tmp_path)
        yield
        templates.checkin()


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
