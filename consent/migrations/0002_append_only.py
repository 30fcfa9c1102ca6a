"""The history of consent only grows, and a published notice stays as it was read.

So do the documents about a purpose and the list of what the screening refused.
"""

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
DOCUMENTS = AppendOnly(table="consent_document", keys=[["id"]])
REFUSALS = AppendOnly(table="consent_purposerefusal", keys=[["id"]])


class Migration(migrations.Migration):
    dependencies = [("consent", "0001_initial")]

    operations = [append_only(rules) for rules in (EVENTS, NOTICES, DOCUMENTS, REFUSALS)]
