"""“This is not me”: a person disputes a recording that was filed under their name.

No software can tell whose face it is without recognising faces, which is refused by design. So the
person's word is enough: from the commit of one step nobody measures or opens the recording, and only the
same person can take it back. Operators are told and can only do one thing with it: erase it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.actors import SYSTEM_KEEPER, Actor
from audit_log.actions import Action, ReasonCode
from audit_log.entries import Draft
from audit_log.log import append
from consent.errors import ConsentRefused, NotTheSubject
from consent.models import ErasureCause, ErasureRequest
from consent.records import lock_state, subject_log_name
from consent.row_by_row import do_each
from emotion.endings import tell_of_end
from emotion.entries import about_recording
from emotion.erasure import drain_one, erase_recording
from emotion.errors import Gone, NotDisputed, NotFound
from emotion.models import UNDER_WAY, Analysis, AnalysisState, Dispute, Recording
from emotion.queue import enqueue_analysis
from emotion.results import find_recording
from vault.tags import tagger

ERASED_AFTER = timedelta(days=14)
"""How long a disputed recording stays sealed off, so that a mistake can be taken back."""


def entry(recording: Recording, action: Action, actor_name: str = "") -> Draft:
    """The log entry of a step in a dispute; by the person themself when no other actor is named."""
    tags = tagger(recording.subject_id, recording.purpose_id)
    return about_recording(recording, action, actor_name or subject_log_name(tags), tags)


def own_recording(actor: Actor, recording_id: UUID) -> Recording:
    """The recording, if it is filed under this very person. Raises NotFound or NotTheSubject."""
    recording = find_recording(actor, recording_id)
    if actor.kind != "subject":
        raise NotTheSubject(_("Only the person under whose name it is filed can say so."))
    return recording


def dispute(actor: Actor, recording_id: UUID) -> Dispute:
    """Say that a recording does not show oneself. A second call finds the first one's dispute.

    One transaction: the consent state locked, the recording closed for the gate, analyses under way
    stopped, the dispute filed, the entry written. Also possible when the recording is erased already:
    the study must know that somebody else was filed. Raises NotFound or NotTheSubject.
    """
    recording = own_recording(actor, recording_id)
    with transaction.atomic():
        lock_state(recording.subject_id, recording.purpose_id)
        known = recording.disputes.open().first()
        if known is not None:
            return known
        filed = close_for(recording, timezone.now())
        append(entry(recording, Action.DISPUTE_OPEN))
    return filed


def close_for(recording: Recording, at: datetime) -> Dispute:
    """Close the recording for the gate, stop what is under way and file the dispute; in a transaction."""
    Recording.objects.filter(pk=recording.pk).update(disputed_at=at)
    stopped = recording.analyses.filter(state__in=UNDER_WAY)
    for analysis_id in list(stopped.values_list("id", flat=True)):
        tell_of_end(recording, analysis_id, AnalysisState.REFUSED)
    stopped.filter(state=AnalysisState.RUNNING).update(tries=F("tries") - 1)
    stopped.update(
        state=AnalysisState.REFUSED,
        reason=ReasonCode.RECORDING_DISPUTED,
        finished_at=at,
        lease_until=None,
    )
    return Dispute.objects.create(recording=recording, opened_at=at)


def open_dispute(recording: Recording) -> Dispute:
    """The recording's open dispute, locked; inside a transaction only. Raises NotDisputed."""
    found = Dispute.objects.select_for_update().filter(recording=recording).open().first()
    if found is None:
        raise NotDisputed(_("Nobody disputes this recording, or it was answered already."))
    return found


def retract(actor: Actor, recording_id: UUID) -> Recording:
    """Take one's own dispute back: what was stopped by it is queued again.

    Raises NotFound, NotTheSubject, NotDisputed, or Gone when the recording was erased meanwhile.
    """
    recording = own_recording(actor, recording_id)
    with transaction.atomic():
        lock_state(recording.subject_id, recording.purpose_id)
        held = open_dispute(recording)
        if erasure_of(recording) is not None:
            raise Gone(_("It is erased already, or being erased: that cannot be taken back."))
        again = reopen(recording, held, timezone.now())
        append(entry(recording, Action.DISPUTE_RETRACT))
        for analysis_id in again:
            transaction.on_commit(partial(enqueue_analysis, analysis_id))
    recording.refresh_from_db()
    return recording


def reopen(recording: Recording, held: Dispute, at: datetime) -> list[UUID]:
    """Take an open dispute back, in a transaction; the ids of the analyses that wait again."""
    held.retracted_at = at
    held.save(update_fields=["retracted_at"])
    Recording.objects.filter(pk=recording.pk).update(disputed_at=None)
    stopped = recording.analyses.filter(
        state=AnalysisState.REFUSED, reason=ReasonCode.RECORDING_DISPUTED
    )
    again = list(stopped.values_list("id", flat=True))
    Analysis.objects.filter(pk__in=again).update(
        state=AnalysisState.QUEUED, reason="", finished_at=None, queued_at=at, not_before=at
    )
    return again


def erasure_of(recording: Recording) -> ErasureRequest | None:
    """The erasure of this whole recording, if one was ever filed."""
    return ErasureRequest.objects.filter(
        Q(recording_id=recording.id) | Q(recording_id=None),
        subject_id=recording.subject_id,
        purpose_id=recording.purpose_id,
        requested_at__gte=recording.created_at,
        category="",
    ).first()


def file_erasure(recording: Recording, actor_name: str) -> ErasureRequest:
    """File the erasure of a disputed recording, or find the one on its way; in a transaction only."""
    known = erasure_of(recording)
    if known is not None:
        return known
    return erase_recording(recording, ErasureCause.DISPUTE, actor_name)


def erase_own(actor: Actor, recording_id: UUID) -> ErasureRequest:
    """The person does not want to wait: erase the disputed recording now. Raises like ``retract``."""
    recording = own_recording(actor, recording_id)
    tags = tagger(recording.subject_id, recording.purpose_id)
    with transaction.atomic():
        lock_state(recording.subject_id, recording.purpose_id)
        open_dispute(recording)
        request = file_erasure(recording, subject_log_name(tags))
    drain_one(request)
    return request


def handle(actor: Actor, dispute_id: UUID) -> Dispute:
    """An operator answers: the recording is erased, and its uploader may upload for the person again.

    Raises NotFound for whoever may not know of it, NotDisputed when it was answered or taken back.
    """
    known = Dispute.objects.visible_to(actor).select_related("recording").filter(pk=dispute_id)
    found = known.first()
    if found is None or actor.kind != "operator":
        raise NotFound(_("There is no such dispute."))
    recording = found.recording
    with transaction.atomic():
        lock_state(recording.subject_id, recording.purpose_id)
        held = open_dispute(recording)
        held.handled_at = timezone.now()
        held.handled_by_id = actor.id
        held.save(update_fields=["handled_at", "handled_by"])
        append(entry(recording, Action.DISPUTE_HANDLE, actor.log_name()))
        request = file_erasure(recording, actor.log_name())
    drain_one(request)
    return held


def require_undisputed(actor: Actor, subject_id: UUID, purpose_id: UUID) -> None:
    """Whoever filed the wrong person files nothing more for this one until an operator has answered.

    Raises ConsentRefused for an API client with an open dispute about an upload of its own.
    """
    if actor.kind != "client":
        return
    disputed = Dispute.objects.open().filter(
        recording__subject_id=subject_id,
        recording__purpose_id=purpose_id,
        recording__uploaded_by=f"client:{actor.id}",
    )
    if disputed.exists():
        raise ConsentRefused(ReasonCode.UPLOADS_DISPUTED)


def erase_unanswered() -> int:
    """Erase recordings that nobody answered for in ``ERASED_AFTER``. Keeper only."""
    due = (
        Dispute.objects.open()
        .filter(opened_at__lte=timezone.now() - ERASED_AFTER, recording__erased_at=None)
        .select_related("recording")
    )
    return do_each(list(due[:200]), erase_still_open)


def erase_still_open(due: Dispute) -> bool:
    """File the erasure of one recording, if its dispute is still open under the lock; whether it was."""
    recording = due.recording
    with transaction.atomic():
        lock_state(recording.subject_id, recording.purpose_id)
        still_open = Dispute.objects.open().filter(pk=due.pk).exists()
        if not still_open or erasure_of(recording) is not None:
            return False
        file_erasure(recording, SYSTEM_KEEPER.log_name())
    return True
