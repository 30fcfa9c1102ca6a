"""A real installation on PostgreSQL with an owner and an application role: docs/operating.md."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connections
from pytest_django.plugin import DjangoDbBlocker

from tests.databases import Templates, is_sqlite
from tests.tools.test_real_installation import HTTPS, manage
from tests.two_roles import TwoRoles

pytestmark = [pytest.mark.processes]
BOTH = ("--database", "default", "--database", "keystore")


@pytest.fixture
def roles(
    templates: Templates, django_db_blocker: DjangoDbBlocker, tmp_path: Path
) -> Iterator[TwoRoles]:
    """Roles and two empty databases, as whoever administers the server makes them."""
    if is_sqlite():
        pytest.skip("SQLite has no roles")
    with django_db_blocker.unblock():
        made = TwoRoles(tmp_path)
        yield made
        made.remove()


def run(
    roles: TwoRoles, folder: Path, user: str, *arguments: str, **changes: str
) -> subprocess.CompletedProcess[str]:
    """A management command that connects as this role."""
    given = connections["default"].settings_dict
    who = f"{user}:{given['PASSWORD']}" if given["PASSWORD"] else user
    server = f"postgres://{who}@{given['HOST']}:{given['PORT']}"
    urls = {"DATABASE_URL": f"{server}/{roles.names['default']}"}
    urls |= {"KEYSTORE_URL": f"{server}/{roles.names['keystore']}"}
    return manage(folder, *arguments, **urls, CONSENTRY_DEMO="0", **changes)


def test_set_up_by_the_owner_and_run_by_the_application(roles: TwoRoles, tmp_path: Path) -> None:
    both = {"DATABASE_OWNER": roles.owner, "DATABASE_APPLICATION": roles.application}

    early = run(roles, tmp_path, roles.application, "setup")
    assert early.returncode == 1
    assert "may not make tables: run `manage.py setup` with DATABASE_OWNER" in early.stderr

    for _again in range(2):
        made = run(roles, tmp_path, roles.migrator, "setup", **both)
        assert made.returncode == 0, made.stderr
        assert f"keystore: {roles.application} has its rights on" in made.stdout

    restart = run(roles, tmp_path, roles.application, "setup")
    assert restart.returncode == 0, restart.stderr
    check = ("check", "--deploy", "--fail-level", "WARNING", *BOTH)
    good = run(roles, tmp_path, roles.application, *check, **HTTPS)
    assert good.returncode == 0, good.stderr
    for user, changes in ((roles.superuser, {}), (roles.migrator, both)):
        told = run(roles, tmp_path, user, *check, **HTTPS, **changes)
        assert told.returncode == 1
        assert told.stderr.count("consentry.E012") == 2, told.stderr

    alone = run(roles, tmp_path, roles.application, "database_roles")
    assert alone.returncode == 1
    assert "must name the two roles" in alone.stderr
    not_mine = run(roles, tmp_path, roles.application, "database_roles", **both)
    assert not_mine.returncode == 1
    assert "permission denied to set role" in not_mine.stderr
