"""What a data subject takes home: consent and erasure receipts with proofs from the access log.

A receipt proves what the operator wrote down at a time, not the absence of copies, and says so.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from audit_log.models import LogEntry
from audit_log.receipts import receipt_document
from consent.holds import holds_that_postponed
from consent.models import ConsentEvent, ErasureRequest, LegalHold
from vault.errors import KeyDestroyed
from vault.tags import tagger


def consent_receipt(event: ConsentEvent) -> dict[str, Any]:
    """A consent event as a document of its own, with the log entry that belongs to it."""
    try:
        tags = tagger(event.subject_id, event.purpose_id)
    except KeyDestroyed:
        entries = LogEntry.objects.none()  # nothing links the log to this person any more
    else:
        entries = LogEntry.objects.provable().filter(consent_tag=tags.consent_record(event.id))
    purpose, notice = event.purpose, event.notice
    document = receipt_document([entry.entry_id for entry in entries.order_by("index")[:4]])
    return document | {
        "consent": {
            "receipt_id": str(event.id),
            "event": event.kind,
            "at": event.at.isoformat(),
            "valid_until": event.valid_until.isoformat() if event.valid_until else None,
            "collection_method": event.method,
            "purpose": {"id": str(purpose.id), "name": purpose.name},
            "lawful_basis": purpose.lawful_basis,
            "controllers": [
                {
                    "id": str(party.id),
                    "type": party.kind,
                    "name": party.name,
                    "address": party.address,
                    "contact": party.contact,
                }
                for party in purpose.controllers.all()
            ],
            "categories": event.categories,
            "notice": {
                "id": str(notice.id),
                "version": notice.version,
                "language": notice.language,
                "shown_in": event.language,
                "sha256": event.notice_sha256,
            }
            if notice
            else None,
        }
    }


def erasure_receipt(request: ErasureRequest) -> dict[str, Any]:
    """What was erased, when, and the log entries that say so, with inclusion proofs."""
    holds = holds_that_postponed(request)
    ids = [*request.entry_ids, *(entry for hold in holds for entry in hold.entry_ids)]
    wanted = [UUID(entry) for entry in ids]
    integrated = set(
        LogEntry.objects.provable().filter(entry_id__in=wanted).values_list("entry_id", flat=True)
    )
    document = receipt_document([entry for entry in wanted if entry in integrated])
    return document | {
        "erasure": {
            "id": str(request.id),
            "cause": request.cause,
            "t1": request.requested_at.isoformat(),
            "legal_holds": [of_hold(hold) for hold in holds],
            "begun_at": moment(request.begun_at),
            "keys_destroyed_at": moment(request.keys_destroyed_at),
            "rows_removed_at": moment(request.rows_removed_at),
            "t2": moment(request.final_at),
            "data_key_ids": request.key_ids,
            "says": _(
                "This receipt proves what the operator recorded and when. It cannot prove that no "
                "copy exists elsewhere: plaintext already released, exports, memory and copies taken "
                "by a past attacker are not covered."
            ),
            "says_of_holds": _(
                "A legal hold postponed the destruction. From T1 on nobody could open anything all the "
                "same."
            )
            if holds
            else "",
        }
    }


def of_hold(hold: LegalHold) -> dict[str, str | None]:
    """A legal hold as a person may know of it: why, from when to when, and whether it was lifted."""
    return {
        "reason": hold.reason,
        "reason_words": str(hold.get_reason_display()),
        "placed_at": hold.placed_at.isoformat(),
        "until": hold.ends_at.isoformat(),
        "over_at": moment(hold.over_at),
        "over_by": ("lifted" if hold.lifted_by_id else "date") if hold.over_at else None,
    }


def moment(value: Any) -> str | None:
    """RFC 3339, or None while it has not happened."""
    return value.isoformat() if value else None
