"""What lies in a recording's sealed file, opened in the way of a worker."""

from __future__ import annotations

from audit_log.actions import Action
from audit_log.entries import Draft
from audit_log.log import append_durable
from consent.enforcement import THE_SYSTEM, require_consent
from consent.rules import Operation
from emotion.models import Recording
from emotion.sealed_media import blob_path, media_row, media_unit
from vault.store import open_blob


def stored_bytes(recording: Recording) -> bytes:
    """The whole file."""
    permit = require_consent(
        subject_id=recording.subject_id,
        purpose_id=recording.purpose_id,
        operation=Operation.ANALYSE,
        asker=THE_SYSTEM,
        action=Action.MEDIA_ANALYSE,
        object_kind="recording",
        object_id=recording.id,
        standing=lambda: recording.media_retain_until,
    )
    receipt = append_durable(
        Draft(
            action=permit.action,
            actor="system:worker",
            purpose_id=permit.purpose_id,
            subject_tag=permit.subject_tag,
            object_tag=permit.object_tag,
            permit_id=permit.permit_id,
        )
    )
    unit = media_unit(recording.id, recording.subject_id, recording.purpose_id)
    path = blob_path(recording.media_key_id)
    with open_blob(
        permit, receipt, recording.media_key_id, unit, media_row(recording.id), path
    ) as blob:
        return blob.readall()
