"""The keystore only grows: no key row is ever removed, and no tombstone is ever filled or moved again.

It prevents accidents. Whoever may alter the tables can drop the triggers.
"""

from django.db import migrations

from audit_log.append_only import Guard

KEY_TABLES = ("vault_datakey", "vault_tagkey", "vault_servicekey")
# What is unique beside the id (and SQLite's hidden rowid): REPLACE removes whatever has the same.
UNIQUE = {
    "vault_tagkey": "subject_id = NEW.subject_id AND purpose_id IS NEW.purpose_id",
    "vault_servicekey": '"use" = NEW."use" AND purpose_id IS NEW.purpose_id',
    "vault_epoch": "state = NEW.state AND NEW.state IN ('current', 'opening')",
}
# Once destroyed, an epoch may still learn which log entry tells of it, and nothing else.
EPOCH_RULE = (
    "OLD.state = 'destroyed' AND (NEW.state <> 'destroyed' OR NEW.destroyed_at <> OLD.destroyed_at)"
)


def rules():
    """Table, operation, condition (None: always), message."""
    for table in KEY_TABLES:
        yield table, "DELETE", None, "a key row is never deleted"
        yield table, "UPDATE", "OLD.destroyed_at IS NOT NULL", "a destroyed key stays destroyed"
    yield "vault_epoch", "DELETE", None, "an epoch is never deleted"
    yield "vault_epoch", "UPDATE", EPOCH_RULE, "a destroyed epoch stays destroyed"


def name(table, operation):
    return f"{table}_{operation.lower()}_refused"


def sqlite(table, operation, condition, message):
    when = f"WHEN {condition}" if condition else ""
    yield (
        f"CREATE TRIGGER {name(table, operation)} BEFORE {operation} ON {table} FOR EACH ROW {when} "
        f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
    )
    if operation == "DELETE":
        # INSERT OR REPLACE removes the old row without asking the trigger above.
        taken = " OR ".join(
            f"EXISTS (SELECT 1 FROM {table} WHERE {each})"  # noqa: S608  names from this file
            for each in ("id = NEW.id", "rowid = NEW.rowid", UNIQUE.get(table))
            if each
        )
        yield (
            f"CREATE TRIGGER {table}_replace_refused BEFORE INSERT ON {table} FOR EACH ROW "
            f"WHEN {taken} BEGIN SELECT RAISE(ABORT, '{message}'); END"
        )


def postgresql(table, operation, condition, message):
    function = f"{name(table, operation)}_now"
    when = f"WHEN ({condition})" if condition else ""
    yield (
        f"CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{message}' USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    trigger = name(table, operation)
    yield (
        f"CREATE TRIGGER {trigger} BEFORE {operation} ON {table} FOR EACH ROW {when} "
        f"EXECUTE FUNCTION {function}()"
    )
    yield f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}"
    if operation == "DELETE":
        yield (
            f"CREATE TRIGGER {table}_truncate_refused BEFORE TRUNCATE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
        )
        yield f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_truncate_refused"


def statements(dialect):
    return [statement for rule in rules() for statement in dialect(*rule)]


class Migration(migrations.Migration):
    dependencies = [("vault", "0001_initial")]
    operations = [
        Guard(
            {"sqlite": statements(sqlite), "postgresql": statements(postgresql)},
            {"sqlite": [], "postgresql": []},
            rights=dict.fromkeys((*KEY_TABLES, "vault_epoch"), ("SELECT", "INSERT", "UPDATE")),
        )
    ]
