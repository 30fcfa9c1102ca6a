"""Stopping an analysis for good, at the word of an operator or of the API client whose purpose it is of.

What waits never begins, and whoever works on it finds at their next look that the row is no longer theirs.
Nothing will come of the media as they came any more, so they go as those of a failed analysis do; what is
kept (all but the person covered) stays until its own date.
"""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.actors import Actor
from audit_log.actions import Action, Outcome, ReasonCode
from audit_log.entries import Draft
from audit_log.log import append, append_durable
from consent.enforcement import ConsentPermit
from consent.errors import ConsentRefused
from consent.records import acting_name, lock_state
from emotion.endings import tell_of_end
from emotion.entries import about_recording, ending_analysis
from emotion.erasure import give_up_media
from emotion.errors import AnalysisEnded
from emotion.models import UNDER_WAY, Analysis, AnalysisState
from emotion.reanalysis import permit_to_analyse
from emotion.results import find_analysis
from emotion.stretches import discard
from vault.tags import tagger


def cancel(actor: Actor, analysis_id: UUID) -> Analysis:
    """Stop an analysis that waits or runs; again, it changes nothing.

    Raises NotFound, AnalysisEnded when it has ended otherwise, and ConsentRefused: what the gate does not
    let run is not ended here either, because its end is the consent's (a pause lets it go on later).
    """
    analysis = find_analysis(actor, analysis_id)
    if has_ended(analysis):
        return analysis
    recording = analysis.recording
    tags = tagger(recording.subject_id, recording.purpose_id)
    draft = about_recording(recording, Action.ANALYSIS_CANCEL, acting_name(actor, tags), tags)
    draft = ending_analysis(draft, analysis.id, tags)
    try:
        permit = permit_to_analyse(actor, recording, Action.ANALYSIS_CANCEL)
        stopped = stop(actor, analysis, permit, draft)
    except ConsentRefused as refusal:
        analysis.refresh_from_db()
        if has_ended(analysis):  # by the same word, at this very moment, so that the media go
            return analysis
        append_durable(replace(draft, outcome=Outcome.REFUSED, reason=refusal.reason))
        raise
    analysis.refresh_from_db()
    if not stopped:
        has_ended(analysis)  # at this very moment: by a worker, or by the same word
    return analysis


def has_ended(analysis: Analysis) -> bool:
    """Whether it was cancelled before. Raises AnalysisEnded when it ended by itself."""
    if analysis.state in UNDER_WAY:
        return False
    if analysis.state != AnalysisState.CANCELLED:
        raise AnalysisEnded(_("The analysis has ended already."))
    return True


def stop(actor: Actor, analysis: Analysis, permit: ConsentPermit, draft: Draft) -> bool:
    """One transaction: lock consent, gate again, end the row, entry, media; whether it was this call.

    A client knows what it has stopped itself; what an operator stops, clients are told.
    """
    recording, by_client = analysis.recording, actor.kind == "client"
    reason = ReasonCode.CANCELLED_BY_CLIENT if by_client else ReasonCode.CANCELLED_BY_OPERATOR
    with transaction.atomic():
        lock_state(recording.subject_id, recording.purpose_id)
        permit.recheck()
        stopped = Analysis.objects.filter(pk=analysis.pk, state__in=UNDER_WAY).update(
            state=AnalysisState.CANCELLED,
            reason=reason,
            finished_at=timezone.now(),
            lease_until=None,
            expected_at=None,
        )
        if stopped:
            if not by_client:
                tell_of_end(recording, analysis.pk, AnalysisState.CANCELLED)
            discard(analysis.pk)
            append(permit.signed(draft))
            recording.refresh_from_db(fields=["covered_at"])
            if recording.covered_at is None:
                give_up_media(recording, draft.actor)
    return bool(stopped)
