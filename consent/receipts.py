"""What a data subject takes home: consent and erasure receipts with proofs from the access log.

A receipt proves what the operator wrote down at a time, not the absence of copies, and says so.
"""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID, uuid5

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override

from audit_log.actions import Action
from audit_log.models import LogEntry
from audit_log.receipts import pending_about, receipt_document, wait_integrated
from audit_log.signing import verifier_key
from consent import dpv
from consent.consent_record import LAYOUT, History, consent_record, urn
from consent.holds import holds_that_postponed
from consent.kantara import kantara_receipt
from consent.methods import ASSENT
from consent.models import ConsentEvent, ConsentState, ErasureRequest, EventKind, LegalHold
from consent.recipients import Recipient, recipients_of
from vault.errors import KeyDestroyed
from vault.tags import tagger

UNRECEIPTED = {
    EventKind.REQUESTED,
    EventKind.CANCELLED,
    EventKind.NOTICE_SHOWN,
    EventKind.GUARDIAN,
}
"""Events that change nothing yet; they stand in every later receipt."""
PROVEN = [
    Action.NOTICE_SHOW,
    Action.CONSENT_GIVE,
    Action.CONSENT_GUARDIAN,
    Action.CONSENT_ATTEST,
    Action.CONSENT_REFUSE,
    Action.CONSENT_WITHDRAW,
    Action.CONSENT_NARROW,
    Action.CONSENT_RESTRICT,
    Action.CONSENT_RESUME,
    Action.CONSENT_EXPIRE,
]


WAITS_FOR, POLL = 2.0, 0.05  # seconds; a running sequencer takes up entries five times a second
TOO_EARLY = gettext_lazy(
    "The access log had not taken up the newest entry when this was downloaded: in the place of its "
    "proof there is a signed promise. Download the receipt again in a minute."
)
NOTHING_LINKS = gettext_lazy(
    "There are no proofs any more: everything was erased, also what linked the access log to you."
)


def receipt_id(event: ConsentEvent) -> UUID:
    """The receipt's own id, the same in each of its forms and at each download."""
    return uuid5(event.id, "receipt")


def history_of(event: ConsentEvent) -> History:
    """Everything up to this event; a receipt says the same whenever it is downloaded."""
    events = (
        ConsentEvent.objects.filter(
            subject_id=event.subject_id, purpose_id=event.purpose_id, sequence__lte=event.sequence
        )
        .select_related("notice")
        .order_by("sequence")
    )
    state = ConsentState.objects.only("id").get(
        subject_id=event.subject_id, purpose_id=event.purpose_id
    )
    return History(
        record_id=state.id,
        principal=principal_of(event),
        purpose=event.purpose,
        parties=list(event.purpose.controllers.all()),
        events=list(events),
        site=settings.SITE_URL,
    )


def principal_of(event: ConsentEvent) -> str:
    """The person as the log names them in this purpose: 32 bytes in hex.

    Once nothing links the log to them, the number of their own row, filled up with zeros.
    """
    try:
        return tagger(event.subject_id, event.purpose_id).subject().hex()
    except KeyDestroyed:
        return event.subject_id.hex.rjust(64, "0")


def proofs(history: History) -> dict[str, Any]:
    """The log entries of the last event, and of the notice and a guardian's yes before it, with proofs.

    What was written just now may not be in the tree yet: then the receipt waits a moment for the
    sequencer, and after that holds a promise in the place of a proof.
    """
    event = history.events[-1]
    kinds = [EventKind.NOTICE_SHOWN, *([EventKind.GUARDIAN] if event.method == ASSENT else [])]
    before = [
        found
        for kind in kinds
        for found in [each for each in history.events if each.kind == kind][-1:]
    ]
    try:
        tags = tagger(event.subject_id, event.purpose_id)
    except KeyDestroyed:
        # Nothing links the log to this person any more.
        return receipt_document([]) | {"says": str(NOTHING_LINKS)}
    wanted = [tags.consent_record(each.id) for each in [*before, event]]
    document = receipt_document(wait_for_entries(wanted))
    return document | ({"says": str(TOO_EARLY)} if "promise_certificate" in document else {})


def wait_for_entries(consent_tags: list[bytes]) -> list[UUID]:
    """The ids of the entries of these events, in their order; waits for those on their way to the tree."""
    deadline = time.monotonic() + WAITS_FOR
    rows = LogEntry.objects.filter(consent_tag__in=consent_tags, action__in=PROVEN)
    while True:
        # Asked before, so that an entry that moves into the tree meanwhile is not missed in both places.
        pending = pending_about(consent_tags, PROVEN)
        there = list(rows.order_by("index").values_list("entry_id", flat=True))
        on_their_way = pending or len(there) > rows.provable().count()
        if not on_their_way or time.monotonic() >= deadline:
            return list(dict.fromkeys([*there, *pending]))
        time.sleep(POLL)


def language_of(history: History) -> str:
    """The language of the notice that was read last, which the receipt is written in."""
    return next((e.language for e in reversed(history.events) if e.language), "en")


def consent_receipt(event: ConsentEvent) -> dict[str, Any]:
    """The receipt of a consent event: ISO/IEC TS 27560 as DPV JSON-LD, with proofs from the log.

    The proofs are members that the context does not know, so a reader of JSON-LD passes them over, and
    ``tools/verify_access_log.py`` reads nothing else.
    """
    history = history_of(event)
    with override(language_of(history)):
        record, proven = consent_record(history), proofs(history)
    return proven | {
        "@context": dpv.CONTEXT,
        "@id": urn(receipt_id(event)),
        "@type": ["dpv:ConsentReceipt"],
        "dct:conformsTo": dpv.RECEIPT_SCHEMA,
        "dct:hasVersion": LAYOUT,
        "dpv:hasIdentifier": str(receipt_id(event)),
        "dct:issued": event.at.isoformat(),
        "dct:source": record,
    }


def kantara_document(event: ConsentEvent) -> dict[str, Any]:
    """The same receipt in the form of Kantara 1.1, with the same proofs beside its own fields."""
    history = history_of(event)
    with override(language_of(history)):
        receipt = kantara_receipt(history, receipt_id(event), verifier_key())
        proven = proofs(history)
    return proven | receipt


def erasure_receipt(request: ErasureRequest) -> dict[str, Any]:
    """What was erased, when, and the log entries that say so, with inclusion proofs.

    The newest entry may be a moment old: the receipt waits for it, as that of a consent does.
    """
    holds = holds_that_postponed(request)
    tellings = request.tellings.order_by("id")
    ids = [
        *request.entry_ids,
        *(entry for row in (*holds, *tellings) for entry in row.entry_ids),
    ]
    wanted = [UUID(entry) for entry in ids]
    wait_integrated(wanted, WAITS_FOR)
    return receipt_document(wanted) | {
        "erasure": {
            "id": str(request.id),
            "cause": request.cause,
            "t1": request.requested_at.isoformat(),
            "legal_holds": [of_hold(hold) for hold in holds],
            "recipients": [of_recipient(each) for each in recipients_of(request)],
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


def of_recipient(recipient: Recipient) -> dict[str, str | None]:
    """A program that was asked for the same erasure, when it was told and when it confirmed."""
    return {
        "name": recipient.name,
        "told_at": moment(recipient.told_at),
        "acknowledged_at": moment(recipient.acknowledged_at),
    }


def moment(value: Any) -> str | None:
    """RFC 3339, or None while it has not happened."""
    return value.isoformat() if value else None
