"""The history of consent only grows, and a published notice stays as it was read."""

from django.db import migrations

from audit_log.append_only import AppendOnly, Growing, append_only

EVENTS = AppendOnly(
    table="consent_consentevent",
    keys=[["id"], ["subject_id", "purpose_id", "sequence"]],
    growing=Growing(column="sequence", within=["subject_id", "purpose_id"], first=1),
)
NOTICES = AppendOnly(
    table="consent_notice",
    keys=[["id"], ["purpose_id", "version", "language"]],
)


class Migration(migrations.Migration):
    dependencies = [("consent", "0001_initial")]

    operations = [append_only(EVENTS), append_only(NOTICES)]
