"""The database refuses to change or remove what was logged.

A pending row may go only when its entry has a place in the tree, and then a trigger removes it: no
role needs the right to delete one. An entry gets its place only from a pending row with its bytes.
"""

from django.db import migrations

from audit_log.append_only import AppendOnly, Growing, append_only, by_vendor

PENDING, ENTRY = "audit_log_pendingentry", "audit_log_logentry"

RULES = [
    AppendOnly(
        table=PENDING,
        keys=[["entry_id"]],
        deletable=f'EXISTS (SELECT 1 FROM "{ENTRY}" WHERE entry_id = OLD.entry_id)',
    ),
    AppendOnly(
        table=ENTRY,
        keys=[["index"], ["entry_id"]],
        growing=Growing(column="index"),
        insertable=(
            f'EXISTS (SELECT 1 FROM "{PENDING}" '
            "WHERE entry_id = NEW.entry_id AND body = NEW.body AND leaf_hash = NEW.leaf_hash)"
        ),
    ),
    AppendOnly(table="audit_log_treenode", keys=[["position"]], growing=Growing(column="position")),
    AppendOnly(
        table="audit_log_checkpoint", keys=[["size"]], growing=Growing(column="size", first=None)
    ),
]

# SECURITY DEFINER: it runs as the owner of the tables, whoever inserts the entry.
INTEGRATED = {
    "sqlite": [
        f'CREATE TRIGGER "{ENTRY}_integrated" AFTER INSERT ON "{ENTRY}" '
        f'BEGIN DELETE FROM "{PENDING}" WHERE entry_id = NEW.entry_id; END'
    ],
    "postgresql": [
        f'CREATE FUNCTION "{ENTRY}_integrated"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER '
        "SET search_path = {schema}, pg_temp AS $$ BEGIN "
        f'DELETE FROM "{PENDING}" WHERE entry_id = NEW.entry_id; RETURN NULL; END $$',
        f'CREATE TRIGGER "{ENTRY}_integrated" AFTER INSERT ON "{ENTRY}" '
        f'FOR EACH ROW EXECUTE FUNCTION "{ENTRY}_integrated"()',
        f'ALTER TABLE "{ENTRY}" ENABLE ALWAYS TRIGGER "{ENTRY}_integrated"',
    ],
}
NOT_INTEGRATED = {
    "sqlite": [f'DROP TRIGGER "{ENTRY}_integrated"'],
    "postgresql": [f'DROP FUNCTION "{ENTRY}_integrated"() CASCADE'],
}


class Migration(migrations.Migration):
    dependencies = [("audit_log", "0001_initial")]
    operations = [*(append_only(rules) for rules in RULES), by_vendor(INTEGRATED, NOT_INTEGRATED)]
