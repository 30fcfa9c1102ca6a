"""The walk to a figure about a group: claim, then for each person gate, entry, open and count; then noise.

Each person is counted once, by their newest result, and whoever the gate refuses is not counted. How many
were counted in which group stands nowhere: it is in this process's memory until noise has been added. The
noisy answer and its debit are one transaction, under the lock of the budget.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from functools import partial
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from accounts.actors import SYSTEM_KEEPER, SYSTEM_WORKER, Actor, actor_for
from audit_log.actions import Action, Outcome, ReasonCode
from audit_log.log import append
from consent.rules import Operation
from emotion.bundles import LEFT_OUT
from emotion.claims import LEASE_END, Superseded, patiently
from emotion.cohort import BUDGET, UNIT, about_cohort, find_cohort, locked_budget
from emotion.cohort_questions import QUESTIONS
from emotion.errors import CohortBudgetSpent, NotFound
from emotion.faults import in_a_line, is_environment
from emotion.models import (
    MAX_TRIES,
    AnalysisState,
    CohortAnswer,
    CohortBudget,
    CohortQuestion,
    CohortState,
    Result,
)
from emotion.noise import laplace
from emotion.queue import enqueue_cohort
from emotion.results import read_permit
from emotion.saving import sealed_part
from emotion.stopping import require_time
from emotion.sweeping import STALE, may_be_sent, note_sent
from vault.parts import unseal_parts

log = logging.getLogger(__name__)

WAIT = timedelta(seconds=15)
"""Before what the installation was not able to count is taken up again."""
RENEW_EVERY = 25
"""People between two renewals of the lease, each with how far it is."""


def run_cohort(answer_id: UUID) -> None:
    """Answer one question about a group, or end it refused or failed, each with its entry.

    A fault of the installation gives the row back with its try; the keeper sends it again.
    """
    try:
        held = claim(answer_id)
    except Exception as error:
        if not is_environment(error):
            raise
        log.warning("question %s waits: %s", answer_id, in_a_line(error))
        return
    if held is None:
        return
    try:
        asker = asker_again(held)
        release(held, count(held, asker))
    except Superseded:
        log.info("question %s was taken over; this attempt is discarded", held.id)
    except (NotFound, CohortBudgetSpent):
        end(held, CohortState.REFUSED, Outcome.REFUSED)
    except Exception as error:
        give_back(held, error)


def claim(answer_id: UUID) -> CohortAnswer | None:
    """Take the row if it waits, or if its last holder let the lease run out; None otherwise."""
    free = Q(state=CohortState.QUEUED, lease_until=None) | Q(
        state__in=(CohortState.QUEUED, CohortState.RUNNING), lease_until__lt=Now()
    )
    taken = CohortAnswer.objects.filter(free, pk=answer_id, tries__lt=MAX_TRIES).update(
        state=CohortState.RUNNING,
        attempt=F("attempt") + 1,
        tries=F("tries") + 1,
        lease_until=LEASE_END,
        resend_at=None,
        progress=0.0,
    )
    return CohortAnswer.objects.select_related("asked_by").get(pk=answer_id) if taken else None


def mine(held: CohortAnswer) -> Q:
    """The condition under which the row is still this attempt's."""
    return Q(pk=held.pk, state=CohortState.RUNNING, attempt=held.attempt)


def asker_again(held: CohortAnswer) -> Actor:
    """Whoever asked, as they stand now. Raises NotFound for one who may ask no more."""
    if not held.asked_by.is_active:
        raise NotFound("Whoever asked works here no more.")
    actor = actor_for(held.asked_by)
    find_cohort(actor, held.purpose_id)
    return actor


def newest_results(held: CohortAnswer) -> list[UUID]:
    """One result of each person: the newest that was measured of what the question needs."""
    rows = Result.objects.filter(
        category=QUESTIONS[CohortQuestion(held.question)].category,
        part=0,
        analysis__state=AnalysisState.DONE,
        analysis__recording__purpose_id=held.purpose_id,
        analysis__recording__erased_at=None,
    ).order_by("analysis__finished_at", "id")
    newest = dict(rows.values_list("analysis__recording__subject_id", "id"))
    return list(newest.values())


def count(held: CohortAnswer, actor: Actor) -> Counter[str]:
    """How many people fall into each group: the truth, which never leaves this process."""
    found: Counter[str] = Counter()
    chosen = newest_results(held)
    for number, result_id in enumerate(chosen):
        require_time()
        if number % RENEW_EVERY == 0:
            renew(held, number / len(chosen))
        try:
            found[group_of(held, actor, result_id)] += 1
        except LEFT_OUT as error:
            if is_environment(error):
                raise
    return found


def renew(held: CohortAnswer, progress: float) -> None:
    """Extend the lease; raises Superseded when the row is no longer this attempt's."""
    rows = CohortAnswer.objects.filter(mine(held))
    if not rows.update(lease_until=LEASE_END, progress=progress):
        raise Superseded


def group_of(held: CohortAnswer, actor: Actor, result_id: UUID) -> str:
    """The group of one person, behind the gate and with an entry of their own.

    Raises what ``LEFT_OUT`` names for whoever is not to be counted.
    """
    row = Result.objects.select_related("analysis__recording").filter(pk=result_id).first()
    if row is None:
        raise NotFound("It was erased meanwhile.")
    recording, question = row.analysis.recording, QUESTIONS[CohortQuestion(held.question)]
    permit, receipt = read_permit(
        actor,
        recording,
        Operation.COUNT_RESULT,
        Action.RESULT_COUNT,
        ReasonCode(held.reason),
        frozenset({row.category}),
    )
    [opened] = unseal_parts(permit, receipt, [sealed_part(recording, row)])
    return question.group_of(json.loads(opened.reveal()))


def release(held: CohortAnswer, counts: Counter[str]) -> None:
    """One transaction: lock the budget, still mine?, noise, debit, entry.

    Raises CohortBudgetSpent when a restored backup has spent it meanwhile.
    """
    epsilon = Fraction(held.cost, UNIT)
    groups = QUESTIONS[CohortQuestion(held.question)].groups
    noisy = {group: counts[group] + laplace(epsilon) for group in groups}
    with transaction.atomic():
        budget = locked_budget(held.purpose_id)
        if budget.spent + held.cost > BUDGET:
            raise CohortBudgetSpent("As much has been told of this group as may be.")
        answered = CohortAnswer.objects.filter(mine(held)).update(
            state=CohortState.ANSWERED,
            counts=noisy,
            answered_at=timezone.now(),
            progress=1.0,
            lease_until=None,
        )
        if not answered:
            raise Superseded
        CohortBudget.objects.filter(pk=budget.pk).update(spent=F("spent") + held.cost)
        append(about_cohort(held, Action.COHORT_ANSWER, SYSTEM_WORKER))


def end(
    held: CohortAnswer, state: CohortState, outcome: Outcome, by: Actor = SYSTEM_WORKER
) -> None:
    """End a question without an answer, with its entry, if the row is still the same attempt's."""
    with transaction.atomic():
        ended = CohortAnswer.objects.filter(
            pk=held.pk, state=held.state, attempt=held.attempt
        ).update(state=state, lease_until=None)
        if ended:
            append(replace(about_cohort(held, Action.COHORT_FAIL, by), outcome=outcome))


def give_back(held: CohortAnswer, error: Exception) -> None:
    """End the row, or let it be tried again."""
    patiently(f"question {held.id}", partial(settle, held, error))


def settle(held: CohortAnswer, error: Exception) -> None:
    """Let it be tried again, or end it when its tries are used up; a fault of the house uses none."""
    log.warning("question %s, try %d: %s", held.id, held.tries, in_a_line(error))
    fault = is_environment(error)
    if held.tries >= MAX_TRIES and not fault:
        end(held, CohortState.FAILED, Outcome.FAILED)
        return
    CohortAnswer.objects.filter(mine(held)).update(
        state=CohortState.QUEUED,
        tries=held.tries - fault,
        lease_until=timezone.now() + WAIT,
    )


def forgotten() -> QuerySet[CohortAnswer]:
    """The questions that wait too long, or whose lease ran out."""
    now = timezone.now()
    waiting = Q(state=CohortState.QUEUED, lease_until=None, asked_at__lt=now - STALE)
    lost = Q(state__in=(CohortState.QUEUED, CohortState.RUNNING), lease_until__lt=now)
    return CohortAnswer.objects.filter(may_be_sent(now), waiting | lost)


def requeue_cohorts() -> int:
    """Point the workers again at what was forgotten, or end it. Keeper only."""
    sent = 0
    for row in forgotten()[:50]:
        if row.tries >= MAX_TRIES:
            end(row, CohortState.FAILED, Outcome.FAILED, SYSTEM_KEEPER)
        elif enqueue_cohort(row.id):
            note_sent(row, row.lease_until or row.asked_at)
            sent += 1
    return sent
