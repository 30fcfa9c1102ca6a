"""Finding what was forgotten: rows that wait without a message, leases that ran out, dates that passed.

The database row is the truth and the broker a hint, so a sweep needs nothing from the broker.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from accounts.actors import SYSTEM_KEEPER
from audit_log.actions import Action, Outcome, ReasonCode
from audit_log.log import append
from consent.models import ConsentState, ConsentStatus, DataCategory, ErasureRequest
from consent.records import lock_state
from consent.retention import expire_recording
from consent.row_by_row import do_each
from emotion.endings import tell_of_end
from emotion.entries import about_recording, ending_analysis
from emotion.erasure import give_up_media
from emotion.marks import RESTART_WORKER, touch
from emotion.models import (
    MAX_TRIES,
    Analysis,
    AnalysisState,
    CohortAnswer,
    MediaState,
    Recording,
    Result,
)
from emotion.queue import enqueue_analysis
from emotion.stretches import discard
from vault.tags import tagger

STALE = timedelta(seconds=15)
LONGEST_PAUSE = timedelta(minutes=10)
NO_CLAIM = timedelta(seconds=30)


def requeue_stale() -> int:
    """Point the workers again at rows that wait longer than they should, or whose lease ran out."""
    now = timezone.now()
    due = Analysis.objects.filter(may_be_sent(now))
    waiting = due.filter(state=AnalysisState.QUEUED, queued_at__lt=now - STALE, not_before__lte=now)
    lost = due.filter(state=AnalysisState.RUNNING, lease_until__lt=now)
    return do_each([*waiting.order_by("queued_at")[:200], *lost[:200]], send_or_fail)


def send_or_fail(analysis: Analysis) -> bool:
    """Send one row again, if it has a try left; whether the broker took it."""
    if analysis.tries >= MAX_TRIES:
        fail(analysis)
        return False
    if not enqueue_analysis(analysis.id):
        return False
    note_sent(analysis, analysis.lease_until or max(analysis.queued_at, analysis.not_before))
    return True


def may_be_sent(now: datetime) -> Q:
    """The condition that a row was not sent again, or long enough ago."""
    return Q(resend_at=None) | Q(resend_at__lte=now)


def note_sent(row: Analysis | CohortAnswer, since: datetime) -> None:
    """Send a row that waits since then no more until it has waited twice as long, or ten minutes.

    Workers may be busy or away for days, and the queue would fill with messages about the same rows.
    """
    now = timezone.now()
    pause = min(max(now - since, STALE), LONGEST_PAUSE)
    same = type(row)._default_manager.filter(pk=row.pk, attempt=row.attempt)
    same.update(resend_at=now + pause)


def fail(analysis: Analysis) -> None:
    """End a row whose tries are used up, with its entry."""
    recording = analysis.recording
    tags = tagger(recording.subject_id, recording.purpose_id)
    with transaction.atomic():
        lock_state(recording.subject_id, recording.purpose_id)
        ended = Analysis.objects.filter(
            pk=analysis.pk, state=analysis.state, attempt=analysis.attempt
        ).update(
            state=AnalysisState.FAILED,
            reason=ReasonCode.ATTEMPTS_EXHAUSTED,
            finished_at=timezone.now(),
            lease_until=None,
        )
        if ended:
            discard(analysis.pk)
            draft = about_recording(recording, Action.ANALYSIS_FAIL, SYSTEM_KEEPER.log_name(), tags)
            why = ReasonCode.ATTEMPTS_EXHAUSTED
            draft = ending_analysis(draft, analysis.pk, tags)
            append(replace(draft, outcome=Outcome.FAILED, reason=why))
            tell_of_end(recording, analysis.pk, AnalysisState.FAILED)
            if recording.covered_at is None:
                give_up_media(recording, SYSTEM_KEEPER.log_name())


def take_up_paused() -> int:
    """Queue again what a pause had stopped, for everybody who lets their study go on."""
    goes_on = ConsentState.objects.filter(
        subject_id=OuterRef("recording__subject_id"),
        purpose_id=OuterRef("recording__purpose_id"),
        status=ConsentStatus.GIVEN,
        restricted_at=None,
    )
    stopped = Analysis.objects.filter(
        Exists(goes_on),
        state=AnalysisState.REFUSED,
        reason=ReasonCode.PROCESSING_RESTRICTED,
        recording__erased_at=None,
    )
    return do_each(list(stopped.order_by("queued_at")[:200]), take_up)


def take_up(stopped: Analysis) -> int:
    """The same for one row; 0 when another process was faster."""
    now = timezone.now()
    again = Analysis.objects.filter(
        pk=stopped.pk, state=AnalysisState.REFUSED, reason=ReasonCode.PROCESSING_RESTRICTED
    ).update(state=AnalysisState.QUEUED, reason="", finished_at=None, queued_at=now, not_before=now)
    if again:
        enqueue_analysis(stopped.id)
    return again


def expire_recordings() -> int:
    """File the erasure of every recording, or of its media or results alone, whose date has passed."""
    now = timezone.now()
    due = [(recording, "") for recording in whole_due(now)[:200]]
    due += [(recording, str(DataCategory.MEDIA)) for recording in media_due(now)[:200]]
    late = results_due(now).select_related("analysis__recording")[:200]
    due += sorted({(row.analysis.recording, row.category) for row in late}, key=str)
    return do_each(due, expire)


def whole_due(now: datetime) -> QuerySet[Recording]:
    """Recordings whose date has passed and whose erasure nobody has filed."""
    filed = ErasureRequest.objects.filter(recording_id=OuterRef("pk"), category="")
    return Recording.objects.filter(erased_at=None, retain_until__lte=now).exclude(Exists(filed))


def media_due(now: datetime) -> QuerySet[Recording]:
    """The same of those whose media alone are due."""
    filed = ErasureRequest.objects.filter(
        recording_id=OuterRef("pk"), category=DataCategory.MEDIA, only_key=None
    )
    return Recording.objects.filter(
        media_state=MediaState.STORED, media_retain_until__lte=now, retain_until__gt=now
    ).exclude(Exists(filed))


def results_due(now: datetime) -> QuerySet[Result]:
    """Results whose own date has passed before their recording's."""
    filed = ErasureRequest.objects.filter(
        recording_id=OuterRef("analysis__recording_id"), category__in=["", OuterRef("category")]
    )
    return Result.objects.filter(
        retain_until__lte=now, analysis__recording__retain_until__gt=now
    ).exclude(Exists(filed))


def expire(due: tuple[Recording, str]) -> bool:
    """File the erasure of one recording, or of one category of it; whether it was still to be filed."""
    recording, category = due
    return expire_recording(
        recording.subject_id,
        recording.purpose_id,
        recording.id,
        category,
        partial(is_due, recording, category),
    )


def is_due(recording: Recording, category: str) -> bool:
    """Whether this is past its date and nobody has filed its erasure."""
    now = timezone.now()
    if not category:
        return whole_due(now).filter(pk=recording.pk).exists()
    if category == DataCategory.MEDIA:
        return media_due(now).filter(pk=recording.pk).exists()
    return results_due(now).filter(analysis__recording=recording, category=category).exists()


def workers_stuck() -> bool:
    """Whether rows wait, none is being worked on, and none was claimed for half a minute."""
    now = timezone.now()
    waits = Analysis.objects.filter(
        state=AnalysisState.QUEUED, queued_at__lt=now - NO_CLAIM, not_before__lt=now - NO_CLAIM
    )
    runs = Analysis.objects.filter(state=AnalysisState.RUNNING, lease_until__gt=now)
    recent = Analysis.objects.filter(started_at__gt=now - NO_CLAIM)
    return waits.exists() and not runs.exists() and not recent.exists()


def ask_for_worker_restart() -> None:
    """Leave the mark that the supervisor looks for; it restarts the worker and removes the mark."""
    touch(RESTART_WORKER)
