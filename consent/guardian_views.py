"""The two pages of a child: the guardian's consent first, then the child's own yes or no."""

from __future__ import annotations

import re
from datetime import date
from itertools import groupby
from uuid import UUID

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.formats import date_format
from django.utils.timezone import localdate
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.actors import actor_of
from accounts.permissions import require_permission
from consent.choice_views import (
    UNPROCESSABLE,
    answer,
    ask_before_erasing,
    goes_back,
    require_same_notice,
    said,
    standing_parts,
)
from consent.errors import ConsentError, InvalidChoice, PartsLeftOut
from consent.giving import refuse_consent
from consent.guardians import child_assents, comes_of_age, guardian_agrees, waiting_for_assent
from consent.methods import ASSENT, GUARDIAN
from consent.models import ConsentState, ConsentStatus, DataSubject, Notice, Purpose
from consent.notice_pages import page_in
from consent.records import notice_in_force, record_notice_shown
from consent.views import category_labels, own_state, own_subject

GUARDIANS_FIELDS = ("notice", "categories", "of_age", "responsible")
MONTH = re.compile(r"([1-9][0-9]{3})-(0[1-9]|1[0-2])")


def child_state(request: HttpRequest, purpose_id: UUID) -> ConsentState:
    """The signed-in person's state in a purpose that children take part in; 404 otherwise."""
    state = own_state(request, purpose_id)
    if not state.purpose.guardian_allowed:
        raise Http404
    return state


def decide_as_guardian(
    request: HttpRequest, subject: DataSubject, current: Notice
) -> ConsentError | None:
    """Record what the guardian says; returns why nothing was recorded, or None when it was."""
    try:
        if answer(request) == "refuse":
            refuse_consent(actor_of(request), subject, current, GUARDIAN)
        else:
            require_same_notice(request, current)
            guardian_agrees(
                actor_of(request),
                subject,
                current,
                request.POST.getlist("categories"),
                responsible=bool(request.POST.get("responsible")),
                of_age_at=comes_of_age(current.purpose, *month_in(said(request, "of_age"))),
                gives_up=request.POST.getlist("gives_up"),
            )
    except ConsentError as refused:
        return refused
    return None


def month_in(text: str) -> tuple[int, int]:
    """Year and month as a form sends them, 2031-05. Raises InvalidChoice."""
    if found := MONTH.fullmatch(text):
        return int(found[1]), int(found[2])
    raise InvalidChoice(_("Please choose the month in which the child comes of age."))


def months_ahead(purpose: Purpose) -> list[tuple[int, list[tuple[str, str]]]]:
    """The months that can be chosen, the running one first: of each year (value, month in words)."""
    today = localdate()
    count = (purpose.minimum_age - purpose.youngest) * 12
    numbers = [today.year * 12 + today.month - 1 + ahead for ahead in range(count + 1)]
    months = [date(number // 12, number % 12 + 1, 1) for number in numbers]
    return [
        (year, [(f"{each:%Y-%m}", date_format(each, "YEAR_MONTH_FORMAT")) for each in of_year])
        for year, of_year in groupby(months, key=lambda each: each.year)
    ]


@require_permission("consent.give_consent")
@require_http_methods(["GET", "POST"])
def guardian(request: HttpRequest, purpose_id: UUID) -> HttpResponse:
    """What a parent or guardian says for a child that sits beside them; the child is asked next."""
    state, subject = child_state(request, purpose_id), own_subject(request)
    if state.status == ConsentStatus.CANCELLED:
        return redirect("subject_home")
    current = notice_in_force(state.purpose, get_language() or settings.LANGUAGE_CODE)
    error = None
    if request.method == "POST" and not goes_back(request):
        error = decide_as_guardian(request, subject, current)
        if error is None:
            refused = request.POST.get("decision") == "refuse"
            return redirect("consent_done" if refused else "consent_assent", purpose_id)
        if isinstance(error, PartsLeftOut):
            return ask_before_erasing(request, state, error, GUARDIANS_FIELDS)
    page = page_in(current, get_language())
    record_notice_shown(actor_of(request), subject, current, page.language)
    context = {
        "purpose": state.purpose,
        "notice": current,
        "page": page,
        "given": state.status == ConsentStatus.GIVEN,
        "standing": standing_parts(state),
        "months": months_ahead(state.purpose),
        "chosen": request.POST.getlist("categories"),
        "month": request.POST.get("of_age", ""),
        "error": error,
    }
    status = UNPROCESSABLE if error else 200
    return render(request, "consent/guardian.html", context, status=status)


def decide_as_child(
    request: HttpRequest, state: ConsentState, current: Notice
) -> ConsentError | None:
    """Record what the child says; returns why nothing was recorded, or None when it was."""
    try:
        if answer(request) == "refuse":
            refuse_consent(actor_of(request), state.subject, current, ASSENT)
        else:
            require_ticked(request)
            child_assents(actor_of(request), state.subject, state.purpose)
    except ConsentError as refused:
        return refused
    return None


def require_ticked(request: HttpRequest) -> None:
    """Raise InvalidChoice unless the child ticked its own box."""
    if not request.POST.get("assent"):
        raise InvalidChoice(
            _("If you want to join in, tick the box first. If not, press the other button.")
        )


@require_permission("consent.give_consent")
@require_http_methods(["GET", "POST"])
def assent(request: HttpRequest, purpose_id: UUID) -> HttpResponse:
    """The child's own page, in words for a child; without a guardian's yes there is nothing to ask."""
    state = child_state(request, purpose_id)
    agreed = waiting_for_assent(state)
    if agreed is None or agreed.notice is None:
        return redirect("consent_guardian", purpose_id)
    error = None
    if request.method == "POST":
        error = decide_as_child(request, state, agreed.notice)
        if error is None:
            return redirect("consent_done", purpose_id)
    context = {
        "purpose": state.purpose,
        "given": state.status == ConsentStatus.GIVEN,
        "granted": category_labels(agreed.categories, state.purpose),
        "error": error,
    }
    status = UNPROCESSABLE if error else 200
    return render(request, "consent/assent.html", context, status=status)
