"""One log for all tests of this folder, made once for all test processes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from pytest_django.plugin import DjangoDbBlocker

from tests.databases import Templates
from tests.interop import logs, verifiers


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder of this run that its processes share."""
    base = tmp_path_factory.getbasetemp()
    return (base if worker_id == "master" else base.parent) / "interop"


@pytest.fixture(scope="session")
def made(shared: Path, request: pytest.FixtureRequest, django_db_blocker: DjangoDbBlocker) -> Path:
    """The exports. The databases are asked for by hand, so that one engine is enough: files are files."""
    with verifiers.alone(shared / "lock"):
        if not (shared / "key").exists():
            templates: Templates = request.getfixturevalue("templates")
            (shared / "database").mkdir()
            with django_db_blocker.unblock():
                templates.checkout(shared / "database")
                logs.make(shared)
                templates.checkin()
            shutil.copytree(shared / "database/keys/log", shared / "public/log")
            (shared / "public/log/signing_key").unlink()
    return shared


@pytest.fixture
def exports(made: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[int, logs.Log]]:
    """The exports by size, where the log's public key is known."""
    monkeypatch.setattr(settings, "KEYS_DIR", made / "public")
    yield {size: logs.Log(made / str(size), size) for size in logs.SIZES}


@pytest.fixture(params=["x/mod", "pymerkle", "@sigstore/verify", "verify_log", "one file"])
def verifier(request: pytest.FixtureRequest, shared: Path) -> verifiers.Verifier:
    """Each of those who verify."""
    match request.param:
        case "x/mod":
            return verifiers.with_go(shared)
        case "pymerkle":
            return verifiers.with_pymerkle
        case "@sigstore/verify":
            return verifiers.with_sigstore()
        case "verify_log":
            return verifiers.with_command
    return verifiers.with_one_file
