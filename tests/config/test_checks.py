"""The checks of an installation: quiet when all is well, and each with its id when it is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.checks import CheckMessage
from django.db import OperationalError, connections

from config import checks, env


def ids(found: list[CheckMessage]) -> list[str | None]:
    return [message.id for message in found]


def test_debug_is_refused(settings: Any) -> None:
    assert checks.no_debug(None) == []
    settings.DEBUG = True
    assert ids(checks.no_debug(None)) == ["consentry.E001"]


@pytest.mark.parametrize(("made_as", "demo"), [("demo", False), ("real", True)])
def test_installation_keeps_its_kind(
    settings: Any, tmp_path: Path, made_as: str, demo: bool
) -> None:
    settings.VAR_DIR = tmp_path
    settings.DEMO = demo
    assert checks.kind_is_kept(None) == []
    (tmp_path / "installation").write_text(f"{made_as}\n")
    assert ids(checks.kind_is_kept(None)) == ["consentry.E002"]
    settings.DEMO = not demo
    assert checks.kind_is_kept(None) == []


@pytest.mark.parametrize(
    "change",
    [
        {"SECURE": True},
        {"ALLOWED_HOSTS": ["localhost", "study.example.org"]},
        {"DATABASES": {"default": {"ENGINE": "django.db.backends.postgresql"}}},
    ],
)
def test_demo_that_others_can_reach_is_refused(
    settings: Any, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    settings.DEMO = True
    settings.ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
    used = {"default": {"ENGINE": "django.db.backends.sqlite3"}}
    monkeypatch.setattr(checks, "databases", lambda: used)
    assert checks.demo_stays_home(None) == []
    used |= change.get("DATABASES", {})
    for name, value in change.items():
        if name != "DATABASES":
            setattr(settings, name, value)
    assert ids(checks.demo_stays_home(None)) == ["consentry.E003"]
    settings.DEMO = False
    assert checks.demo_stays_home(None) == []


def test_keystore_in_the_main_database_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks.two_databases(None) == []
    one = {"HOST": "db", "PORT": 5432, "NAME": "consentry"}
    monkeypatch.setattr(checks, "databases", lambda: {"default": one, "keystore": dict(one)})
    assert ids(checks.two_databases(None)) == ["consentry.E004"]


def test_atomic_requests_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks.no_atomic_requests(None) == []
    monkeypatch.setattr(checks, "databases", lambda: {"default": {"ATOMIC_REQUESTS": True}})
    assert ids(checks.no_atomic_requests(None)) == ["consentry.E005"]


@pytest.mark.usefixtures("fresh_db")
def test_options_of_the_real_databases_are_in_force() -> None:
    assert checks.sqlite_options(None, databases=["default", "keystore"]) == []


@pytest.mark.usefixtures("fresh_db")
@pytest.mark.parametrize("pragma", ["synchronous=NORMAL", "secure_delete=OFF"])
def test_changed_pragma_is_found(pragma: str) -> None:
    if connections["keystore"].vendor != "sqlite":
        pytest.skip("SQLite's own options")
    with connections["keystore"].cursor() as cursor:
        cursor.execute(f"PRAGMA {pragma}")
    found = checks.sqlite_options(None, databases=["default", "keystore"])
    assert ids(found) == ["consentry.E006"]
    assert pragma.partition("=")[0] in found[0].msg


@pytest.mark.usefixtures("fresh_db")
def test_triggers_of_the_real_databases_are_in_force() -> None:
    assert checks.rules_in_force(None, databases=["default", "keystore"]) == []


@pytest.mark.usefixtures("fresh_db")
@pytest.mark.parametrize(
    ("alias", "trigger"),
    [
        ("default", "audit_log_logentry_update"),
        ("default", "audit_log_logentry_delete"),
        ("default", "audit_log_logentry_insert_1"),  # the gap
        ("default", "audit_log_logentry_integrated"),
        ("default", "consent_consentevent_delete"),
        ("keystore", "vault_datakey_replace_refused"),
    ],
)
def test_trigger_that_is_gone_or_another_is_found(alias: str, trigger: str) -> None:
    if connections[alias].vendor != "sqlite":
        pytest.skip(
            "these are SQLite's triggers; PostgreSQL's: tests/audit_log/test_database_roles.py"
        )
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT tbl_name FROM sqlite_master WHERE name = %s", [trigger])
        (table,) = cursor.fetchone()
        cursor.execute(f"DROP TRIGGER {trigger}")
    found = checks.rules_in_force(None, databases=["default", "keystore"])
    assert ids(found) == ["consentry.E011"]
    assert trigger in found[0].msg
    with connections[alias].cursor() as cursor:
        cursor.execute(f"CREATE TRIGGER {trigger} BEFORE DELETE ON {table} BEGIN SELECT 1; END")
    assert ids(checks.rules_in_force(None, databases=["default", "keystore"])) == ["consentry.E011"]


@pytest.mark.usefixtures("fresh_db")
def test_database_that_cannot_be_asked_is_no_quiet_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(alias: str) -> list[str]:
        raise OperationalError("no answer")

    monkeypatch.setattr(checks, "not_in_force", away)
    assert ids(checks.rules_in_force(None, databases=["default"])) == ["consentry.E011"]


def test_open_folder_is_refused(settings: Any, tmp_path: Path) -> None:
    settings.VAR_DIR, settings.KEYS_DIR = tmp_path / "var", tmp_path / "keys"
    settings.VAR_DIR.mkdir(mode=0o700)
    assert ids(checks.private_folders(None)) == ["consentry.E007"], "there are no keys"
    settings.KEYS_DIR.mkdir(mode=0o700)
    assert checks.private_folders(None) == []
    settings.KEYS_DIR.chmod(0o750)
    assert ids(checks.private_folders(None)) == ["consentry.E007"]


def test_secret_among_the_data_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY_FILE", "/run/secrets/consentry")
    assert checks.secret_outside_var(None) == []
    monkeypatch.setenv("SECRET_KEY_FILE", str(Path(settings.VAR_DIR) / "secret_key"))
    assert ids(checks.secret_outside_var(None)) == ["consentry.E008"]


def test_address_that_is_not_answered_is_refused(settings: Any) -> None:
    settings.SITE_URL, settings.ALLOWED_HOSTS = "https://study.example.org:8443", ["example.org"]
    assert ids(checks.address_is_allowed(None)) == ["consentry.E009"]
    settings.ALLOWED_HOSTS = [".example.org"]
    assert checks.address_is_allowed(None) == []


def test_secret_key_is_made_once_and_for_its_owner_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "keys" / "secret_key"
    monkeypatch.delenv("SECRET_KEY", raising=False)
    with pytest.raises(Exception, match="does not exist: run `make run`"):
        env.secret("SECRET_KEY", file)
    monkeypatch.setattr("sys.argv", ["manage.py", "setup"])
    made = env.secret("SECRET_KEY", file)
    assert len(made) >= 50
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert env.secret("SECRET_KEY", file) == made
    file.chmod(0o640)
    with pytest.raises(Exception, match="expected 0600"):
        env.secret("SECRET_KEY", file)
