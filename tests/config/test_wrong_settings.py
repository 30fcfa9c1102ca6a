"""Every variable of docs/operating.md with a value that is wrong: one line, and nothing is started."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from emotion.inference.sessions import PROVIDERS
from tests.processes import ROOT
from tests.tools.test_supervise import COMMAND, environment
from tools.installation import SETTINGS

# variable: (wrong values, what the line must name besides the variable)
WRONG = {
    "HOST": (["192.0.2.1", "no such host"], "Cannot listen"),
    "PORT": (["eighty"], "a number from 1 to 65535"),
    "SITE_URL": (["study.example.org", "ftp://study.example.org", "http://a:port"], "https://"),
    "ALLOWED_HOSTS": (["https://study.example.org", "study.example.org:443"], "without scheme"),
    "CSRF_TRUSTED_ORIGINS": (["study.example.org"], "https://"),
    "BEHIND_TLS_PROXY": (["maybe"], "one of 1, 0"),
    "TRUSTED_PROXIES": (["some", "-1"], ""),
    "CONSENTRY_VAR": (["/dev/null/var"], "Not a directory"),
    "CONSENTRY_KEYS": (["/dev/null/keys"], "Not a directory"),
    "CONSENTRY_DEMO": (["perhaps"], "one of 1, 0"),
    "CONSENTRY_WORKERS": (["two", "0"], "a number from 1"),
    "CONSENTRY_WEB_WORKERS": (["two", "0"], "a number from 1"),
    "CONSENTRY_WEB_THREADS": (["four", "0"], ""),
    "BATCH_MAX": (["many", "0"], ""),
    "UPLOAD_HOURS": (["a day", "0"], ""),
    "UPLOADS_UNFINISHED": (["many", "0"], ""),
    "UPLOAD_PART_MB": (["8MB", "0"], ""),
    "EXPORT_HOURS": (["long", "0"], ""),
    "SECRET_KEY": (["short"], "at least 32"),
    "SECRET_KEY_FILE": (["/dev/null/key", "/", "/nonexistent"], ""),
    "DATABASE_URL": (
        ["mysql://db/a", "db", "sqlite://", "postgres://db:port/a", "postgres://me:pw@127.0.0.1:9/a"],
        "",
    ),
    "KEYSTORE_URL": (["mysql://db/a", "postgres://me:pw@127.0.0.1:9/a"], ""),
    "DATABASE_CONN_MAX_AGE": (["long"], "whole number"),
    "DATABASE_OWNER": (["Owner; DROP", "consentry_owner"], "consentry_owner"),
    "DATABASE_APPLICATION": (["the app", "consentry"], "consentry"),
    "API_RATE": (["many", "3000", "0/min", "10/fortnight"], "3000/min"),
    "CLIENT_ANALYSES_PER_DAY": (["many", "0"], ""),
    "CLIENT_UPLOADS_AT_ONCE": (["some", "0"], ""),
    "SUBJECT_UPLOADS_PER_HOUR": (["few", "0"], ""),
    "QUEUE_AT_MOST": (["long", "0"], ""),
    "EXECUTION_PROVIDER": (["tpu", ""], ", ".join(PROVIDERS)),
    "CELERY_QUEUE": (["../queue", ""], "consentry-2"),
    "CELERY_BROKER_URL": (["kafka://host", "host"], "filesystem://"),
    "CACHE_URL": (["memcache://host"], "redis://"),
    "EMAIL_URL": (["consolemail://", "mail.example.org"], "smtp://"),
    "EMAIL_FROM": (["nobody", "a@b, c@d"], "study@example.org"),
    "PHOTO_MAX_MB": (["big", "0"], ""),
    "FILM_MAX_MB": (["big", "0"], ""),
    "FILM_MAX_MINUTES": (["long", "0"], ""),
    "SESSION_HOURS": (["long", "0"], ""),
    "TIME_ZONE": (["Mars", "../etc/passwd"], "Europe/Berlin"),
    "LOG_LEVEL": (["LOUD"], "INFO"),
    "BACKUP_RECIPIENT": (["backup@example.org", "AGE-SECRET-KEY-1QQ"], "age1"),
    "TRANSIT_URL": (["bao.example.org", "http://bao.example.org/transit", "https://bao:8200"], "mount"),
    "TRANSIT_TOKEN_FILE": ([], ""),  # tried with a server: tests/vault/test_providers.py
    "TRANSIT_NAMESPACE": (["a namespace"], "team/study"),
    "WEBHOOK_PRIVATE_HOSTS": (["*", "http://lab.example.org", "10.0.0.0/8"], "lab.example.org,10.0.0.5"),
    "LOG_WITNESS_POLICY": (["/nonexistent", "/dev/null"], "consentry.E013"),
    "HELP_LINES_FILE": (["/nonexistent", "/dev/null"], "consentry.E010"),
}  # fmt: skip
NEVER_READ_BY_DJANGO = {"HOST", "PORT", "CONSENTRY_WORKERS", "CONSENTRY_WEB_WORKERS"}


def documented() -> set[str]:
    """The variables of the table in docs/operating.md."""
    section = (ROOT / "docs" / "operating.md").read_text().split("## Variables\n", 1)[1]
    table = section.split("\n## ", 1)[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return {name for cell in cells for name in re.findall(r"`([A-Z_]+)`", cell)}


def read_by_the_program() -> set[str]:
    """What config/settings.py asks the environment for, and what the supervisor does."""
    settings = (ROOT / "config" / "settings.py").read_text()
    supervisor = (ROOT / "tools" / "supervise.py").read_text()
    asked = set(re.findall(r'env\.[a-z_]+\(\s*(?:#.*\s*)?"([A-Z_]+)"', settings))
    asked |= set(re.findall(r'database\("[a-z]+", "([A-Z_]+)"', settings))
    asked |= set(re.findall(r'number\("([A-Z_]+)"', supervisor)) | {"HOST"}
    return asked


def test_every_variable_is_documented_tried_and_compared_at_the_start() -> None:
    assert read_by_the_program() | {"SECRET_KEY_FILE"} == documented()
    assert set(WRONG) == documented()
    places = {"CONSENTRY_VAR", "CONSENTRY_KEYS"}
    assert set(SETTINGS) == documented() - places - NEVER_READ_BY_DJANGO


def said(command: list[str], given: dict[str, str]) -> str:
    """The one line with which a program ends."""
    done = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1, done
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    assert "pw" not in done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, (wrong, _) in WRONG.items() for value in wrong]
)
def test_wrong_value_is_one_line(tmp_path: Path, name: str, value: str) -> None:
    given = environment(tmp_path, **{name: value})
    if name == "KEYSTORE_URL":  # else it is a demo, whose keystore is its own
        given["CONSENTRY_DEMO"] = "0"
    line = said(COMMAND, given)
    assert name in line or value in line
    assert WRONG[name][1] in line
    assert not list(tmp_path.rglob("*.sqlite3")), "nothing was made"


@pytest.mark.parametrize("command", ["setup", "keeper", "verify_log", "confirm_clock", "check"])
@pytest.mark.parametrize("name", ["TIME_ZONE", "DATABASE_URL", "EMAIL_URL"])
def test_commands_say_it_in_one_line_too(tmp_path: Path, command: str, name: str) -> None:
    value = {"DATABASE_URL": "mysql://me:pw@127.0.0.1/a"}.get(name, "nonsense")
    given = environment(tmp_path, **{name: value, "SECRET_KEY": "x" * 40})
    assert name in said([sys.executable, "manage.py", command], given)


@pytest.mark.parametrize("command", ["verify_log", "confirm_clock"])
def test_commands_before_the_set_up_end_in_one_line(tmp_path: Path, command: str) -> None:
    given = environment(tmp_path, SECRET_KEY="x" * 40, CONSENTRY_DEMO="0")
    assert "unable to open database file" in said([sys.executable, "manage.py", command], given)
    assert not list(tmp_path.rglob("*.sqlite3"))


@pytest.mark.parametrize("command", ["check", "keeper", "retention", "demo_code"])
def test_what_a_check_finds_is_one_line_of_every_command(tmp_path: Path, command: str) -> None:
    given = environment(tmp_path, SECRET_KEY="x" * 40, CONSENTRY_DEMO="0")
    line = said([sys.executable, "manage.py", command], given | {"HELP_LINES_FILE": "/nonexistent"})
    assert line.startswith("HELP_LINES_FILE: ")
    assert line.endswith("(consentry.E010)\n")


def test_the_development_server_says_it_in_one_line(tmp_path: Path) -> None:
    given = environment(tmp_path, SECRET_KEY="x" * 40, HELP_LINES_FILE="/nonexistent")
    command = [sys.executable, "manage.py", "runserver", "--noreload", "127.0.0.1:0"]
    done = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith("HELP_LINES_FILE: ")
    assert done.stderr.count("\n") == 1


def test_the_development_server_that_reloads_says_it_in_one_line_and_waits(tmp_path: Path) -> None:
    given = environment(tmp_path, SECRET_KEY="x" * 40, HELP_LINES_FILE="/nonexistent")
    command = [sys.executable, "manage.py", "runserver", "127.0.0.1:0"]
    with subprocess.Popen(
        command, cwd=ROOT, env=given, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as server:
        assert server.stderr is not None
        try:
            lines = [server.stderr.readline() for _number in range(2)]
        finally:
            os.killpg(server.pid, signal.SIGKILL)
        lines += server.stderr.read().splitlines()
    (line,) = [each for each in lines if "autoreload" not in each]
    assert line.startswith("HELP_LINES_FILE: ")


def test_several_findings_are_a_line_each_with_what_to_do(tmp_path: Path) -> None:
    given = environment(tmp_path, SECRET_KEY="x" * 40, CONSENTRY_DEMO="0")
    given |= {"HELP_LINES_FILE": "/nonexistent", "DJANGO_COLORS": "dark"}
    command = [sys.executable, "manage.py", "check", "--deploy", "--force-color"]
    done = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, timeout=60)
    lines = done.stderr.splitlines()
    assert all(line.endswith(")") for line in lines), done.stderr
    assert any(line.endswith("does not exist. manage.py setup (consentry.E007)") for line in lines)
    assert "Traceback" not in done.stderr


def test_keystore_that_is_the_main_database_is_one_line(tmp_path: Path) -> None:
    urls = [f"sqlite:///{tmp_path}/{name}" for name in ("one.sqlite3", "x/../one.sqlite3")]
    (tmp_path / "x").mkdir()
    given = environment(tmp_path, DATABASE_URL=urls[0], KEYSTORE_URL=urls[1])
    line = said(COMMAND, given)
    assert "consentry.E004" in line
    assert not (tmp_path / "one.sqlite3").exists()
