"""A real installation, made by ``manage.py setup`` in processes of its own."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from django.contrib.auth.hashers import check_password

from tests.processes import ROOT
from tests.tools.test_supervise import environment
from tools.installation import from_environment, prepare, state

EMAIL = "ada@example.org"
HTTPS = {"SITE_URL": "https://study.example.org", "ALLOWED_HOSTS": "study.example.org"}


def manage(folder: Path, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT, env=environment(folder, **changes), capture_output=True, text=True, umask=0o022,
    )  # fmt: skip


def rows(folder: Path) -> list[tuple[str, str, str]]:
    with sqlite3.connect(folder / "var" / "consentry.sqlite3") as database:
        return database.execute("SELECT email, role, password FROM accounts_user").fetchall()


def shown_password(output: str) -> str:
    found = re.search(r"with the password (\S+) \(shown once\)", output)
    assert found, output
    return found[1]


@pytest.mark.processes
def test_first_administrator_is_let_in_and_nobody_else(tmp_path: Path) -> None:
    first = manage(tmp_path, "setup")
    assert first.returncode == 0, first.stderr
    assert "manage.py setup --administrator" in first.stdout
    assert (tmp_path / "var" / "installation").read_text() == "real\n"
    assert rows(tmp_path) == []
    open_files = [
        p for f in ("var", "keys") for p in (tmp_path / f).iterdir() if p.stat().st_mode & 0o77
    ]
    assert open_files == []

    made = manage(tmp_path, "setup", "--administrator", EMAIL)
    password = shown_password(made.stdout)
    [(email, role, stored)] = rows(tmp_path)
    assert (email, role) == (EMAIL, "administrator")
    assert check_password(password, stored)

    again = manage(tmp_path, "setup", "--administrator", "eve@example.org")
    assert again.returncode == 1
    assert "There is an administrator" in again.stderr
    assert len(rows(tmp_path)) == 1

    reset = manage(tmp_path, "setup", "--reset-administrator", EMAIL.upper())
    [(_email, _role, stored)] = rows(tmp_path)
    assert check_password(shown_password(reset.stdout), stored)
    assert not check_password(password, stored)
    unknown = manage(tmp_path, "setup", "--reset-administrator", "eve@example.org")
    assert "No administrator has the address" in unknown.stderr

    as_demo = manage(tmp_path, "setup", CONSENTRY_DEMO="1")
    assert as_demo.returncode == 1
    assert "consentry.E002" in as_demo.stderr

    check = ("check", "--deploy", "--fail-level", "WARNING", "--database", "default")
    deployed = manage(tmp_path, *check, **HTTPS)
    assert deployed.returncode == 0, deployed.stderr
    (tmp_path / "keys").chmod(0o755)
    assert "consentry.E007" in manage(tmp_path, *check, **HTTPS).stderr


@pytest.mark.processes
def test_second_start_compares_before_it_skips(tmp_path: Path) -> None:
    given = environment(tmp_path, CONSENTRY_DEMO="0")
    installation = from_environment(given, 8000)
    (tmp_path / "var" / "run").mkdir(parents=True)
    prepare(installation)
    stamp = tmp_path / "var" / "run" / "prepared"
    before, written = stamp.read_text(), stamp.stat().st_mtime_ns
    prepare(installation)
    assert stamp.stat().st_mtime_ns == written, "nothing changed, nothing was done"

    database = tmp_path / "var" / "keystore.sqlite3"
    (tmp_path / "backup").write_bytes(database.read_bytes())
    (tmp_path / "backup").replace(database)
    assert state(installation) != before, "a database that was put back is looked at again"
    prepare(installation)
    assert stamp.stat().st_mtime_ns != written

    manifest = tmp_path / "var" / "static" / "staticfiles.json"
    manifest.unlink()
    prepare(installation)
    assert manifest.exists()
