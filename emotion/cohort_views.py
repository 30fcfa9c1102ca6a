"""The operators' page of a group: what may be asked, what it costs, and the answers with how far off they
may be."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from accounts.actors import actor_of
from accounts.permissions import require_permission
from audit_log.actions import ReasonCode
from consent.forms import ReasonForm
from consent.models import Purpose
from consent.operator_views import UNPROCESSABLE
from emotion.cohort import COST, LEAST, UNDER_WAY, UNIT, answers_of, ask, find_cohort, left_of
from emotion.cohort_questions import QUESTIONS, Text
from emotion.errors import CohortBudgetSpent
from emotion.models import CohortAnswer, CohortQuestion, CohortState
from emotion.noise import within
from emotion.operator_views import CONFLICT

REASONS = (ReasonCode.STUDY_ANALYSIS, ReasonCode.QUALITY_CHECK)
SHOWN = 30


class CohortForm(ReasonForm):
    """Which question, and what the answer is for."""

    question = forms.ChoiceField(
        label=gettext_lazy("What do you want to know?"),
        choices=CohortQuestion.choices,
        widget=forms.RadioSelect,
        # Django's own sentence repeats what came.
        error_messages={
            "invalid_choice": gettext_lazy("Choose one of the questions listed; another one came.")
        },
    )
    field_order = ("question", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, reasons=REASONS, **kwargs)
        self.fields["reason"].label = _("What is the answer for?")

    def asked(self) -> CohortQuestion:
        """The question as one of the closed list."""
        return CohortQuestion(self.cleaned_data["question"])


@dataclass(frozen=True)
class Line:
    """One group of an answer. number: people, noise and all, never below 0; low, high: 95 of 100 times.

    percent, from_percent, to_percent: the same as shares of the longest, for the bar.
    """

    label: Text
    number: int
    low: int
    high: int
    percent: float
    from_percent: float
    to_percent: float


@dataclass(frozen=True)
class Shown:
    """An answer as it is read. lines: empty while there is none, and for too small a group."""

    row: CohortAnswer
    lines: list[Line]

    @property
    def counting(self) -> bool:
        """Whether it is under way, so that the page asks again by itself."""
        return self.row.state in UNDER_WAY

    @property
    def too_few(self) -> bool:
        """Whether there is an answer that is mostly noise."""
        return self.row.state == CohortState.ANSWERED and not self.lines


def shown(row: CohortAnswer) -> Shown:
    """What is to be said of an answer; of a small group nothing, because the noise would be most of it."""
    counts: dict[str, int] = row.counts or {}
    if sum(counts.values()) < LEAST:
        return Shown(row, [])
    off = within(Fraction(row.cost, UNIT))
    longest = max(counts.values()) + off
    return Shown(
        row,
        [
            line(words, counts[group], off, longest)
            for group, words in QUESTIONS[CohortQuestion(row.question)].groups.items()
        ],
    )


def line(label: Text, count: int, off: int, longest: int) -> Line:
    """A number with the range in which the truth lies in 95 of 100 answers; no group is below 0."""
    number, low, high = (max(0, each) for each in (count, count - off, count + off))
    shares = (100 * each / longest for each in (number, low, high))
    return Line(label, number, low, high, *shares)


def about(purpose: Purpose) -> dict[str, Any]:
    """What the page shows of a purpose's group: its answers, and what is left of its budget."""
    rows = list(answers_of(purpose)[:SHOWN])
    left = left_of(purpose.id)
    return {
        "purpose": purpose,
        "answers": [shown(row) for row in rows],
        "left": left,
        "epsilon": {
            "one": COST / UNIT,
            "spent": left.spent / UNIT,
            "all": left.total / UNIT,
        },
        "off": within(Fraction(COST, UNIT)),
        "least": LEAST,
    }


@require_permission("emotion.view_statistics")
@require_http_methods(["GET", "HEAD", "POST"])
def cohort(request: HttpRequest, purpose_id: UUID) -> HttpResponse:
    """What was asked about the group, and the form for another question."""
    actor = actor_of(request)
    purpose = find_cohort(actor, purpose_id)
    form, status = CohortForm(request.POST or None), 200
    if request.method == "POST":
        status = UNPROCESSABLE
        if form.is_valid():
            try:
                asked = ask(actor, purpose.id, form.asked(), form.stated())
            except CohortBudgetSpent as error:
                form.add_error(None, str(error))
                status = CONFLICT
            else:
                if asked.state == CohortState.ANSWERED:
                    messages.info(request, _("It was answered this month already: see below."))
                return redirect("operate_cohort", purpose.id)
    context = about(purpose) | {"form": form}
    return render(request, "operators/cohort.html", context, status=status)


@require_permission("emotion.view_statistics")
@require_safe
def cohort_answers(request: HttpRequest, purpose_id: UUID) -> HttpResponse:
    """The answers alone, for the page that asks again by itself while something is being counted."""
    purpose = find_cohort(actor_of(request), purpose_id)
    context = about(purpose)
    return render(request, "operators/cohort_answers.html", context)
