"""What the worker asks the gate, and the entry that it writes before it opens anything."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from audit_log.actions import Action, ReasonCode
from audit_log.log import DurableReceipt, append_durable
from consent.enforcement import THE_SYSTEM, ConsentPermit, current_state, require_consent
from consent.models import DataCategory
from consent.rules import Operation
from emotion.claims import Claim
from emotion.models import Recording, recording_standing


def permit_for(
    held: Claim, operation: Operation, action: Action, chosen: frozenset[str]
) -> ConsentPermit:
    """Ask the gate for one step on this recording."""
    recording = held.recording
    reads_media = operation is Operation.ANALYSE
    return require_consent(
        subject_id=recording.subject_id,
        purpose_id=recording.purpose_id,
        operation=operation,
        asker=THE_SYSTEM,
        action=action,
        object_kind="recording",
        object_id=recording.id,
        categories=chosen,
        standing=partial(recording_standing, recording.id, media=reads_media),
    )


def consented_categories(recording: Recording) -> frozenset[str]:
    """The data categories that this person's consent covers now; the gate decides about them."""
    state = current_state(recording.subject_id, recording.purpose_id)
    chosen = frozenset(state.categories if state else ())
    return chosen | {DataCategory.MEDIA}


def begin_reading(held: Claim, chosen: frozenset[str]) -> tuple[ConsentPermit, DurableReceipt]:
    """Ask the gate about the media, then write the entry that opens them, once."""
    permit = permit_for(held, Operation.ANALYSE, Action.MEDIA_ANALYSE, chosen)
    draft = replace(held.draft(Action.MEDIA_ANALYSE), reason=ReasonCode.ANALYSIS)
    return permit, append_durable(permit.signed(draft))
