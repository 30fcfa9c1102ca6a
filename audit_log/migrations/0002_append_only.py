"""The database refuses to change or remove what was logged.

A pending row may go only when its entry has a place in the tree, and then a trigger removes it: no
role needs the right to delete one. An entry gets its place only from a pending row with its bytes.
"""

from django.db import migrations

from audit_log.append_only import AppendOnly, Growing, Guard, append_only

RULES = [
    AppendOnly(
        table="audit_log_pendingentry",
        keys=[["entry_id"]],
        deletable='EXISTS (SELECT 1 FROM "audit_log_logentry" WHERE entry_id = OLD.entry_id)',
    ),
    AppendOnly(
        table="audit_log_logentry",
        keys=[["index"], ["entry_id"]],
        growing=Growing(column="index"),
        insertable=(
            'EXISTS (SELECT 1 FROM "audit_log_pendingentry" '
            "WHERE entry_id = NEW.entry_id AND body = NEW.body AND leaf_hash = NEW.leaf_hash)"
        ),
    ),
    AppendOnly(table="audit_log_treenode", keys=[["position"]], growing=Growing(column="position")),
    AppendOnly(
        table="audit_log_checkpoint", keys=[["size"]], growing=Growing(column="size", first=None)
    ),
    AppendOnly(table="audit_log_cosignature", keys=[["id"], ["witness", "checkpoint_id"]]),
]

# SECURITY DEFINER: it runs as the owner of the tables, whoever inserts the entry.
INTEGRATED = {
    "sqlite": [
        'CREATE TRIGGER "audit_log_logentry_integrated" AFTER INSERT ON "audit_log_logentry" '
        'BEGIN DELETE FROM "audit_log_pendingentry" WHERE entry_id = NEW.entry_id; END'
    ],
    "postgresql": [
        'CREATE FUNCTION "audit_log_logentry_integrated"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER '
        "SET search_path = {schema}, pg_temp AS $$ BEGIN "
        'DELETE FROM "audit_log_pendingentry" WHERE entry_id = NEW.entry_id; RETURN NULL; END $$',
        'CREATE TRIGGER "audit_log_logentry_integrated" AFTER INSERT ON "audit_log_logentry" '
        'FOR EACH ROW EXECUTE FUNCTION "audit_log_logentry_integrated"()',
        'ALTER TABLE "audit_log_logentry" ENABLE ALWAYS TRIGGER "audit_log_logentry_integrated"',
    ],
}
NOT_INTEGRATED = {
    "sqlite": ['DROP TRIGGER "audit_log_logentry_integrated"'],
    "postgresql": ['DROP FUNCTION "audit_log_logentry_integrated"() CASCADE'],
}


class Migration(migrations.Migration):
    dependencies = [("audit_log", "0001_initial")]
    operations = [*(append_only(rules) for rules in RULES), Guard(INTEGRATED, NOT_INTEGRATED)]
