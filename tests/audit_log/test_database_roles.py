"""What the application's role on PostgreSQL is denied, asked in SQL as somebody with its password would."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings
from django.db import IntegrityError, ProgrammingError, connection, connections, transaction
from django.db.backends.utils import CursorWrapper
from psycopg import errors
from pytest_django.plugin import DjangoDbBlocker

from audit_log.actions import Action
from audit_log.database_roles import faults, give_rights, may_make_tables
from audit_log.entries import Draft
from audit_log.errors import RolesWrong
from audit_log.guards import not_in_force, rights
from audit_log.log import append_durable
from audit_log.models import LogEntry, PendingEntry
from audit_log.sequencer import integrate_once
from audit_log.verification import verify_database
from config import checks
from emotion.snapshots import put_back, take_snapshot
from tests.databases import create, drop
from tests.two_roles import TwoRoles

DRAFT = Draft(action=Action.RESULT_READ, actor="system:worker")
LOG = ["pendingentry", "logentry", "treenode", "checkpoint", "cosignature"]
TABLES = [f"audit_log_{name}" for name in LOG]
TABLES += [f"consent_{name}" for name in ("consentevent", "notice", "document", "purposerefusal")]
KEYS = ["vault_datakey", "vault_tagkey", "vault_servicekey", "vault_epoch"]


@pytest.fixture(scope="module")
def installation(
    roles: TwoRoles, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TwoRoles]:
    """One pair for all tests here, which leave it as it was: three entries with a place, one without."""
    with django_db_blocker.unblock(), roles.copy(tmp_path_factory.mktemp("installation")):
        for _ in range(3):
            append_durable(DRAFT)
        assert integrate_once() == 3
        append_durable(DRAFT)
        yield roles


@pytest.fixture
def log(installation: TwoRoles) -> Iterator[TwoRoles]:
    """The log as it was written by the application's role; nothing of it changes in any test."""
    yield installation
    assert (LogEntry.objects.count(), PendingEntry.objects.count()) == (3, 1)
    assert verify_database().problem == ""
    assert not_in_force("default") == not_in_force("keystore") == []
    assert faults("default") == faults("keystore") == []


@contextmanager
def taken_back(roles: TwoRoles, user: str, owner: str = "") -> Iterator[CursorWrapper]:
    """Do something with another role, in a transaction that rolls back."""
    with roles.connected(user, owner), transaction.atomic(), connection.cursor() as cursor:
        yield cursor
        transaction.set_rollback(True)


def denied(statement: str, alias: str = "default") -> None:
    with pytest.raises(ProgrammingError) as refused, connections[alias].cursor() as cursor:
        cursor.execute(statement)
    assert isinstance(refused.value.__cause__, errors.InsufficientPrivilege), statement


def test_battery_names_every_guarded_table() -> None:
    assert sorted(rights("default")) == sorted(TABLES)
    assert sorted(rights("keystore")) == sorted(KEYS)


@pytest.mark.parametrize("table", TABLES)
def test_rows_are_not_changed_or_removed(table: str, log: TwoRoles) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = %s "
            "ORDER BY ordinal_position LIMIT 1",
            [table],
        )
        key = cursor.fetchone()[0]
    for statement in (
        f'UPDATE {table} SET "{key}" = "{key}"',
        f"DELETE FROM {table}",
        f"TRUNCATE {table}",
        f"TRUNCATE {table} CASCADE",
        f"SELECT * FROM {table} FOR UPDATE",
        f'MERGE INTO {table} a USING {table} b ON a."{key}" = b."{key}" WHEN MATCHED THEN DELETE',
    ):
        denied(statement)


@pytest.mark.parametrize("table", TABLES)
def test_the_rules_are_not_taken_away(table: str, log: TwoRoles) -> None:
    for statement in (
        f"ALTER TABLE {table} DISABLE TRIGGER ALL",
        f"ALTER TABLE {table} DISABLE TRIGGER USER",
        f"ALTER TABLE {table} DISABLE TRIGGER {table}_rows",
        f"ALTER TABLE {table} ENABLE REPLICA TRIGGER {table}_rows",
        f"DROP TRIGGER {table}_rows ON {table}",
        f"DROP TRIGGER {table}_truncate ON {table}",
        f"ALTER TRIGGER {table}_rows ON {table} RENAME TO other",
        f"CREATE TRIGGER other BEFORE INSERT ON {table} FOR EACH ROW "
        f"EXECUTE FUNCTION {table}_append_only()",
        f"CREATE RULE other AS ON INSERT TO {table} DO INSTEAD NOTHING",
        f"CREATE OR REPLACE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql "
        "AS $$ BEGIN RETURN NEW; END $$",
        f"ALTER FUNCTION {table}_append_only() RESET ALL",
        f"DROP FUNCTION {table}_append_only() CASCADE",
        f"ALTER TABLE {table} ADD COLUMN other integer",
        f"ALTER TABLE {table} RENAME TO other",
        f"ALTER TABLE {table} SET SCHEMA pg_catalog",
        f"DROP TABLE {table} CASCADE",
        f"ALTER TABLE {table} OWNER TO CURRENT_USER",
    ):
        denied(statement)


def test_entry_is_not_overwritten_by_an_upsert(log: TwoRoles) -> None:
    denied(
        "INSERT INTO audit_log_checkpoint (size, root, note, signed_at) "
        "SELECT size, root, 'other', signed_at FROM audit_log_checkpoint "
        "ON CONFLICT (size) DO UPDATE SET note = 'other'"
    )


def test_nothing_is_made_that_could_stand_before_the_tables(log: TwoRoles) -> None:
    for statement in (
        "CREATE TEMPORARY TABLE audit_log_logentry (entry_id uuid)",
        "CREATE TABLE other (id integer)",
        "CREATE TABLE public.other (id integer)",
        "CREATE SCHEMA other",
        "CREATE FUNCTION public.other() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "CREATE VIEW public.other AS SELECT 1",
        "SELECT 1 INTO TEMPORARY other",
    ):
        denied(statement)


def test_no_other_role_is_taken(log: TwoRoles) -> None:
    for statement in (
        f"SET ROLE {log.owner}",
        f"SET SESSION AUTHORIZATION {log.owner}",
        f"GRANT {log.owner} TO {log.application}",
        "SET session_replication_role = replica",
        f"ALTER ROLE {log.application} SUPERUSER",
        f"ALTER ROLE {log.owner} LOGIN",
        f"REASSIGN OWNED BY {log.owner} TO {log.application}",
        f"ALTER DATABASE {connection.settings_dict['NAME']} OWNER TO {log.application}",
        "ALTER SCHEMA public OWNER TO CURRENT_USER",
        "CREATE EVENT TRIGGER other ON ddl_command_start EXECUTE FUNCTION other()",
        "COPY audit_log_logentry FROM PROGRAM 'true'",
        "COPY audit_log_logentry TO '/tmp/entries'",
    ):
        denied(statement)


def test_a_grant_to_oneself_gives_nothing(log: TwoRoles) -> None:
    with connection.cursor() as cursor:  # PostgreSQL answers with a warning only
        cursor.execute(f"GRANT ALL ON audit_log_logentry TO {log.application}, PUBLIC")
        cursor.execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
    assert faults("default") == []


def test_function_with_the_owners_rights_is_not_borrowed(log: TwoRoles) -> None:
    """It deletes pending rows; without a table of one's own to hang it on, nobody calls it."""
    for function in ("audit_log_logentry_integrated", "audit_log_logentry_append_only"):
        denied(f"SELECT {function}()")


@pytest.mark.parametrize("table", KEYS)
def test_keys_are_not_removed(table: str, log: TwoRoles) -> None:
    for statement in (
        f"DELETE FROM {table}",
        f"TRUNCATE {table} CASCADE",
        f"ALTER TABLE {table} DISABLE TRIGGER ALL",
        f"DROP TRIGGER {table}_delete_refused ON {table}",
        f"ALTER TABLE {table} OWNER TO CURRENT_USER",
        "CREATE TEMPORARY TABLE other (id integer)",
    ):
        denied(statement, "keystore")


def test_superuser_who_edits_an_entry_is_found(log: TwoRoles) -> None:
    assert verify_database().problem == ""
    forged = (
        "SELECT convert_to(replace(convert_from(body, 'UTF8'), 'system:worker', 'anonymous'), 'UTF8') "
        "AS body FROM audit_log_logentry WHERE index = 1"
    )
    change = (
        "UPDATE audit_log_logentry SET actor = 'anonymous', body = forged.body, leaf_hash = "
        f"sha256('\\x00'::bytea || forged.body) FROM ({forged}) AS forged WHERE index = 1"
    )
    with taken_back(log, log.superuser) as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
            cursor.execute(change)  # ENABLE ALWAYS
        cursor.execute("ALTER TABLE audit_log_logentry DISABLE TRIGGER ALL")
        cursor.execute(change)
        assert "entry 1: stored hash" in verify_database().problem
        assert any("ALWAYS" in line for line in not_in_force("default"))


# --- what the checks see ---------------------------------------------------------------------------


def test_installation_with_two_roles_passes_both_checks(log: TwoRoles) -> None:
    both = ["default", "keystore"]
    assert checks.rules_in_force(None, databases=both) == []
    assert checks.two_roles(None, databases=both) == []
    assert not may_make_tables("default")


def test_one_role_for_everything_is_told(log: TwoRoles) -> None:
    for user, owner, words in (
        (log.superuser, "", "is a superuser"),
        (log.migrator, "", f"is a member of '{log.owner}'"),
        (log.migrator, log.owner, "owns"),
    ):
        with log.connected(user, owner):
            (first, *_rest) = checks.two_roles(None, databases=["default"])
            assert first.id == "consentry.E012"
            assert words in first.msg


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("GRANT UPDATE ON audit_log_logentry TO {0}", "has UPDATE on audit_log_logentry"),
        ("GRANT UPDATE (actor) ON audit_log_logentry TO {0}", "has UPDATE on audit_log_logentry"),
        ("GRANT DELETE ON consent_consentevent TO PUBLIC", "has DELETE on consent_consentevent"),
        ("GRANT TRUNCATE ON audit_log_checkpoint TO {0}", "has TRUNCATE on audit_log_checkpoint"),
        ("GRANT TRIGGER ON audit_log_treenode TO {0}", "has TRIGGER on audit_log_treenode"),
        ("GRANT CREATE ON SCHEMA public TO PUBLIC", "may make tables"),
        ("GRANT TEMPORARY ON DATABASE {1} TO PUBLIC", "may make temporary tables"),
    ],
)
def test_right_too_many_is_told_and_taken_back(log: TwoRoles, statement: str, words: str) -> None:
    with taken_back(log, log.migrator, log.owner) as cursor:
        cursor.execute(statement.format(log.application, connection.settings_dict["NAME"]))
        assert [words in line for line in faults("default", log.application)] == [True]
        give_rights("default", log.application)
        assert faults("default", log.application) == []


def test_role_that_belongs_to_the_owner_is_refused(log: TwoRoles) -> None:
    with log.connected(log.migrator, log.owner):
        with pytest.raises(RolesWrong, match="is a member of"):
            give_rights("default", log.migrator)
        assert faults("default", log.application) == []
    with pytest.raises((ProgrammingError, RolesWrong)):  # only the owner gives
        give_rights("default", log.application)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("DROP TRIGGER audit_log_logentry_rows ON audit_log_logentry", "_rows is missing"),
        ("DROP TRIGGER audit_log_logentry_truncate ON audit_log_logentry", "_truncate is missing"),
        ("ALTER TABLE audit_log_treenode DISABLE TRIGGER audit_log_treenode_rows", "ENABLE ALWAYS"),
        ("ALTER TABLE audit_log_treenode ENABLE TRIGGER audit_log_treenode_rows", "ENABLE ALWAYS"),
        (
            "CREATE OR REPLACE FUNCTION audit_log_checkpoint_append_only() RETURNS trigger "
            "LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$",
            "the function of the trigger audit_log_checkpoint_rows was changed",
        ),
        (
            "CREATE OR REPLACE TRIGGER audit_log_logentry_rows BEFORE INSERT ON audit_log_logentry "
            "FOR EACH ROW EXECUTE FUNCTION audit_log_logentry_append_only()",
            "another moment",
        ),
        (
            "CREATE OR REPLACE TRIGGER audit_log_logentry_rows BEFORE INSERT OR UPDATE OR DELETE ON "
            "audit_log_logentry FOR EACH ROW WHEN (false) "
            "EXECUTE FUNCTION audit_log_logentry_append_only()",
            "another condition",
        ),
    ],
)
def test_rule_that_is_not_in_force_is_told(log: TwoRoles, statement: str, words: str) -> None:
    with taken_back(log, log.migrator, log.owner) as cursor:
        cursor.execute(statement)
        found = checks.rules_in_force(None, databases=["default", "keystore"])
    assert {message.id for message in found} == {"consentry.E011"}
    assert any(words in message.msg for message in found)


def test_backup_by_the_application_is_put_back_by_the_owner(log: TwoRoles, tmp_path: Path) -> None:
    take_snapshot("default", tmp_path / "snapshot")
    name = f"{log.stamp}_restored"
    with log.connected(log.superuser):
        create(name)
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER DATABASE {name} OWNER TO {log.owner}")
    try:
        with log.databases({"default": name}, settings.KEYS_DIR):
            with log.connected(log.migrator, log.owner):
                put_back("default", tmp_path / "snapshot")
                assert faults("default", log.application) != []
                give_rights("default", log.application)
            assert not_in_force("default") == faults("default") == []
            assert LogEntry.objects.count() == 3
            denied("DELETE FROM audit_log_logentry")
    finally:
        with log.connected(log.superuser):
            drop(name)
