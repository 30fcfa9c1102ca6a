"""Figures about the group of a purpose: how many people's faces showed what, with noise added.

Nobody can tell from an answer, or from all of them together, whether any one person was counted: each
number gets noise of the discrete Laplace distribution (``noise``), and what all answers of a purpose may
tell together is bounded for its whole life (epsilon, ``BUDGET``). A question has one answer a month: asked
again it is the stored one, so nobody can have the noise averaged away. docs/group-figures.md says it for
people, with the formulas.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.actors import Actor
from accounts.permissions import ROLE_PERMISSIONS
from audit_log.actions import Action, ReasonCode
from audit_log.entries import Draft
from audit_log.log import append
from audit_log.models import LogEntry
from consent.models import Purpose
from consent.visibility import visible_purposes
from emotion.errors import CohortBudgetSpent, NotFound
from emotion.models import CohortAnswer, CohortBudget, CohortQuestion, CohortState
from emotion.queue import enqueue_cohort

UNIT = 1000
"""Costs and budgets are whole thousandths of epsilon: sums of them are exact."""
COST = 500
"""Of one answer: epsilon 0.5, with which a number is within 6 of the truth in 95 of 100 answers."""
BUDGET = 5000
"""Of a purpose for its whole life: epsilon 5, ten answers. What all of them together tell about whether
somebody was in the group is bounded by a factor of e to the 5th; one alone by 1.65."""
LEAST = 20
"""Below that many people (by the noisy sum) the noise is most of the answer, so no answer is shown."""
UNDER_WAY = (CohortState.QUEUED, CohortState.RUNNING)


@dataclass(frozen=True)
class Left:
    """What may still be asked. spent, reserved, total: thousandths of epsilon."""

    spent: int
    reserved: int
    total: int = BUDGET

    @property
    def answers(self) -> int:
        """How many answers are left."""
        return max(0, self.total - self.spent - self.reserved) // COST


def month_of(moment: datetime) -> date:
    """The first day of the month, in UTC."""
    return moment.date().replace(day=1)


def find_cohort(actor: Actor, purpose_id: UUID) -> Purpose:
    """The purpose, for whoever may ask about its group. Raises NotFound."""
    may = actor.role is not None and "emotion.view_statistics" in ROLE_PERMISSIONS[actor.role]
    found = visible_purposes(actor).filter(pk=purpose_id).first() if may else None
    if found is None:
        raise NotFound(_("There is no such purpose."))
    return found


def answers_of(purpose: Purpose) -> QuerySet[CohortAnswer]:
    """Everything that was asked about this group, newest first."""
    return CohortAnswer.objects.filter(purpose=purpose).order_by("-id")


def left_of(purpose_id: UUID) -> Left:
    """What may still be asked; what is being counted is reserved."""
    under_way = CohortAnswer.objects.filter(purpose_id=purpose_id, state__in=UNDER_WAY)
    reserved = under_way.aggregate(cost=Sum("cost"))["cost"] or 0
    row = CohortBudget.objects.filter(purpose_id=purpose_id).first()
    return Left(spent=row.spent if row else 0, reserved=reserved)


def locked_budget(purpose_id: UUID) -> CohortBudget:
    """The budget under a row lock; inside a transaction only. On SQLite the transaction is the lock."""
    CohortBudget.objects.get_or_create(purpose_id=purpose_id)
    return CohortBudget.objects.select_for_update().get(purpose_id=purpose_id)


def ask(
    actor: Actor, purpose_id: UUID, question: CohortQuestion, reason: ReasonCode
) -> CohortAnswer:
    """File a question, with its entry; the one that was asked this month already, if there is one.

    Raises NotFound and CohortBudgetSpent.
    """
    purpose, asker_id = find_cohort(actor, purpose_id), actor.id
    if asker_id is None:
        raise NotFound(_("There is no such purpose."))
    now = timezone.now()
    with transaction.atomic():
        locked_budget(purpose.id)
        asked = answers_of(purpose).filter(question=question, month=month_of(now))
        known = asked.exclude(state__in=(CohortState.REFUSED, CohortState.FAILED)).first()
        if known is not None:
            return known
        if not left_of(purpose.id).answers:
            raise CohortBudgetSpent(
                _(
                    "As much has been told about this group as may ever be told; another answer would "
                    "make it possible to guess who is in it."
                )
            )
        made = CohortAnswer.objects.create(
            purpose=purpose,
            question=question,
            month=month_of(now),
            reason=reason,
            asked_by_id=asker_id,
            asked_at=now,
            cost=COST,
        )
        append(about_cohort(made, Action.COHORT_ASK, actor))
        transaction.on_commit(partial(enqueue_cohort, made.id))
    return made


def about_cohort(row: CohortAnswer, action: Action, actor: Actor) -> Draft:
    """An entry about a question on a group, with what it costs; it is about no person."""
    detail = {"question": row.question, "cost": row.cost}
    return Draft(
        action=action,
        actor=actor.log_name(),
        reason=ReasonCode(row.reason),
        purpose_id=row.purpose_id,
        detail=json.dumps(detail, separators=(",", ":")).encode(),
    )


def spend_again() -> None:
    """Take from each budget what the log says was told, also what a restored backup does not know of.

    Safe to repeat. Nobody may ask before it has run.
    """
    told: Counter[UUID] = Counter()
    for entry in LogEntry.objects.filter(action=Action.COHORT_ANSWER):
        if entry.purpose_id is not None:
            told[entry.purpose_id] += json.loads(entry.entry().draft.detail)["cost"]
    for purpose_id, cost in told.items():
        spend(purpose_id, cost)


def spend_everything() -> None:
    """Leave nothing to be told of any group, because the log does not reach far enough to say what was."""
    for purpose_id in Purpose.objects.values_list("id", flat=True):
        spend(purpose_id, BUDGET)


def spend(purpose_id: UUID, least: int) -> None:
    """Make sure that at least so much of a budget is spent; it never gets more again."""
    with transaction.atomic():
        budget = locked_budget(purpose_id)
        budget.spent = min(BUDGET, max(budget.spent, least))
        budget.save(update_fields=["spent"])
