"""Taking an analysis, holding it by a lease, and letting it go: ended, or given back for later.

The row is claimed by one conditional UPDATE with a lease in database time; ``attempt`` counts the claims
and tells whose is the newest. ``tries`` counts those that are to count: it is raised with the claim, so
that a recording which kills its worker cannot be tried for ever, and lowered again when the row is given
back because the installation was at fault, or ended or given back because of what the person decided.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from time import sleep
from uuid import UUID

from django.db import close_old_connections, transaction
from django.db.models import DateTimeField, ExpressionWrapper, F, Q
from django.db.models.functions import Now
from django.utils import timezone

from accounts.actors import SYSTEM_WORKER
from audit_log.actions import Action, Outcome, ReasonCode
from audit_log.entries import Draft
from audit_log.log import append
from consent.errors import ConsentRefused
from consent.records import lock_state
from emotion.endings import tell_of_end
from emotion.entries import about_recording, ending_analysis
from emotion.erasure import give_up_media
from emotion.faults import in_a_line, is_environment
from emotion.inference.media import MediaRefused
from emotion.models import MAX_TRIES, Analysis, AnalysisState, Recording
from emotion.queue import enqueue_analysis
from emotion.stopping import WorkerStopping
from emotion.stretches import discard
from vault.tags import tagger

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=90)
LONGEST_WAIT = 60  # seconds before work that the installation could not do is taken up again
RELEASE_PAUSES = (1.0, 4.0, 10.0)  # seconds between tries to give a row back to a full database

# The consent stands, but not as it did when the attempt began.
STANDS_OTHERWISE = {ReasonCode.CONSENT_CHANGED, ReasonCode.CATEGORY_NOT_CONSENTED}

LEASE_END = ExpressionWrapper(Now() + LEASE, output_field=DateTimeField())


class Superseded(Exception):
    """This attempt no longer holds the row; what it made is discarded."""


@dataclass(frozen=True)
class Claim:
    """One attempt at one analysis.

    Fields:
        attempt: the number of this claim.
    """

    analysis_id: UUID
    attempt: int
    recording: Recording

    def row(self) -> Q:
        """The condition under which the row is still this attempt's."""
        return Q(pk=self.analysis_id, state=AnalysisState.RUNNING, attempt=self.attempt)

    def renew(self) -> None:
        """Extend the lease; raises Superseded when the row is no longer this attempt's."""
        if not Analysis.objects.filter(self.row()).update(lease_until=LEASE_END):
            raise Superseded

    def draft(self, action: Action) -> Draft:
        """A log entry of the worker about this recording."""
        tags = tagger(self.recording.subject_id, self.recording.purpose_id)
        return about_recording(self.recording, action, SYSTEM_WORKER.log_name(), tags)

    def ending(self, action: Action) -> Draft:
        """The same, of the end of this analysis."""
        tags = tagger(self.recording.subject_id, self.recording.purpose_id)
        return ending_analysis(self.draft(action), self.analysis_id, tags)


def claim(analysis_id: UUID) -> Claim | None:
    """Take the row if it waits, or if its last holder let the lease run out; None otherwise."""
    free = Q(state=AnalysisState.QUEUED, not_before__lte=Now()) | Q(
        state=AnalysisState.RUNNING, lease_until__lt=Now()
    )
    taken = Analysis.objects.filter(free, pk=analysis_id, tries__lt=MAX_TRIES).update(
        state=AnalysisState.RUNNING,
        attempt=F("attempt") + 1,
        tries=F("tries") + 1,  # counted first: whatever kills this process cannot count afterwards
        lease_until=LEASE_END,
        resend_at=None,
        started_at=Now(),
    )
    if not taken:
        return None
    row = Analysis.objects.select_related("recording__purpose").get(pk=analysis_id)
    return Claim(row.id, row.attempt, row.recording)


def give_back(held: Claim, error: Exception) -> None:
    """End the row, or let it be tried again."""
    patiently(f"analysis {held.analysis_id}", partial(settle, held, error))


def patiently(work: str, settle: Callable[[], None]) -> None:
    """Settle what becomes of a row, also where the database cannot be written just now."""
    for pause in (*RELEASE_PAUSES, None):
        close_old_connections()  # a server that was restarted knows nothing of them
        try:
            settle()
        except Exception as trouble:
            if not is_environment(trouble):
                raise
            if pause is None:
                log.warning("%s waits for its lease to end: %s", work, in_a_line(trouble))
                return
            sleep(pause)
        else:
            return


def settle(held: Claim, error: Exception) -> None:
    """What this error means for the row: refused, failed, another try, or a wait without one.

    What a stopping worker gives back is for the next one at once. A consent that changed during the work
    refuses that attempt only: the next one asks the new consent.
    """
    if isinstance(error, WorkerStopping):
        begin_anew(held)
    elif is_environment(error):
        wait(held, error)
    elif isinstance(error, ConsentRefused) and error.reason in STANDS_OTHERWISE:
        begin_anew(held)
    elif isinstance(error, ConsentRefused):
        end(held, AnalysisState.REFUSED, Action.ANALYSIS_REFUSE, error.reason)
    elif isinstance(error, MediaRefused):
        end(
            held,
            AnalysisState.FAILED,
            Action.ANALYSIS_FAIL,
            ReasonCode.MEDIA_UNREADABLE,
            media_code=error.code.value,
        )
    else:
        try_again(held, error)


def end(
    held: Claim,
    state: AnalysisState,
    action: Action,
    reason: ReasonCode,
    *,
    media_code: str = "",
) -> None:
    """End the row with its reason and its entry, if it is still this attempt's.

    Of what failed nothing will come any more, so media as they came go now. A refusal uses up no try: a
    pause or a dispute may end, and the row is taken up again.
    """
    recording, refused = held.recording, state is AnalysisState.REFUSED
    outcome = Outcome.REFUSED if refused else Outcome.FAILED
    with transaction.atomic():
        lock_state(recording.subject_id, recording.purpose_id)
        mine = Analysis.objects.filter(held.row()).update(
            state=state,
            reason=reason,
            tries=F("tries") - int(refused),
            media_code=media_code,
            finished_at=timezone.now(),
            lease_until=None,
        )
        if mine:
            discard(held.analysis_id)
            append(replace(held.ending(action), outcome=outcome, reason=reason))
            tell_of_end(recording, held.analysis_id, state)
            if state is AnalysisState.FAILED and recording.covered_at is None:
                give_up_media(recording, SYSTEM_WORKER.log_name())


def wait(held: Claim, error: Exception) -> None:
    """Give the row back with its try: the installation is at fault, 15, 30, then 60 s between two."""
    seconds = min(15 * 2 ** min(held.attempt - tries_of(held), 8), LONGEST_WAIT)
    given_back = Analysis.objects.filter(held.row()).update(
        state=AnalysisState.QUEUED,
        lease_until=None,
        tries=F("tries") - 1,
        not_before=timezone.now() + timedelta(seconds=seconds),
    )
    if given_back:
        log.warning("analysis %s waits %d s: %s", held.analysis_id, seconds, in_a_line(error))


def begin_anew(held: Claim) -> None:
    """Give the row back with its try, to be taken up at once, under what the consent covers then."""
    Analysis.objects.filter(held.row()).update(
        state=AnalysisState.QUEUED,
        lease_until=None,
        tries=F("tries") - 1,
        queued_at=timezone.now(),
        not_before=timezone.now(),
    )
    enqueue_analysis(held.analysis_id)


def tries_of(held: Claim) -> int:
    """How many tries are used up, this one included; a saved stretch of a film gives back those before it.

    0 when the row is no longer this attempt's.
    """
    return Analysis.objects.filter(held.row()).values_list("tries", flat=True).first() or 0


def try_again(held: Claim, error: Exception) -> None:
    """Give the row back without its try, or end it when that was the last one."""
    tries = tries_of(held)
    log.warning("analysis %s, try %d: %s", held.analysis_id, tries, in_a_line(error))
    if tries >= MAX_TRIES:
        end(held, AnalysisState.FAILED, Action.ANALYSIS_FAIL, ReasonCode.ATTEMPTS_EXHAUSTED)
        return
    Analysis.objects.filter(held.row()).update(
        state=AnalysisState.QUEUED,
        lease_until=None,
        not_before=timezone.now() + timedelta(seconds=2**tries),
    )
