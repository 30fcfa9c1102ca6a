"""Operators' pages about purposes: parse, call the flow, render."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Count, Max, Prefetch
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.actors import actor_of
from accounts.models import User
from accounts.permissions import require_permission
from audit_log.paging import page_of
from consent.errors import ConsentError, IncompletePurpose
from consent.forms import AssignForm
from consent.models import (
    ConsentState,
    ConsentStatus,
    Notice,
    Purpose,
    PurposeMember,
    PurposeState,
)
from consent.notices import last_substantive
from consent.purpose_forms import ControllerFormSet, PurposeForm, parties_in
from consent.purpose_rules import problems_in
from consent.purpose_words import assessment_words, sections_of
from consent.purposes import EDITABLE, assign, change_purpose, create_purpose, is_author
from consent.readiness import (
    missing_for_opening,
    missing_for_review,
    newest_assessment,
    outlasting_periods,
)
from consent.screening import REFUSED_SECTORS, REFUSED_USES
from consent.screening_words import look_again
from consent.visibility import find_purpose, visible_purposes, visible_states

UNPROCESSABLE = 422


def refuse(form: BaseForm, error: ConsentError) -> int:
    """Show a flow's refusal on the form it came from; returns the status of the answer."""
    form.add_error(None, ValidationError(str(error), code=error.code))
    return UNPROCESSABLE


def tried(request: HttpRequest, form: BaseForm, do: Callable[[], object]) -> int | None:
    """On POST do what a valid form says: None when it was done, else the status of the form's page."""
    if request.method != "POST":
        return 200
    if not form.is_valid():
        return UNPROCESSABLE
    try:
        do()
    except ConsentError as error:
        return refuse(form, error)
    return None


@require_permission("consent.view_purpose")
@require_safe
def purposes(request: HttpRequest) -> HttpResponse:
    """Every purpose this operator may know of, with its state and how many people are in it."""
    rows = visible_purposes(actor_of(request)).annotate(
        number_of_people=Count("consent_states", distinct=True), version=Max("notices__version")
    )
    state = request.GET.get("state", "")
    if state in PurposeState.values:
        rows = rows.filter(state=state)
    context = {"page": page_of(request, rows), "states": PurposeState.choices, "chosen": state}
    return render(request, "operators/purposes.html", context)


@require_permission("consent.create_purpose")
@require_http_methods(["GET", "HEAD", "POST"])
def purpose_new(request: HttpRequest) -> HttpResponse:
    """Write a purpose; it starts as a draft."""
    return write_purpose(request, None)


@require_permission("consent.create_purpose")
@require_http_methods(["GET", "HEAD", "POST"])
def purpose_edit(request: HttpRequest, purpose_id: UUID) -> HttpResponse:
    """Mend a draft, or what was sent back; anything else does not change any more."""
    purpose = find_purpose(actor_of(request), purpose_id)
    if purpose.state not in EDITABLE:
        messages.error(request, _("Only a draft can be changed."))
        return redirect("operate_purpose", purpose.id)
    return write_purpose(request, purpose)


def write_purpose(request: HttpRequest, purpose: Purpose | None) -> HttpResponse:
    """The form of a purpose, new or to be mended; saved, its page says what is still missing."""
    parties = (
        list(purpose.controllers.values("kind", "name", "address", "contact")) if purpose else []
    )
    sent = request.POST if request.method == "POST" else None
    form = PurposeForm(sent, instance=purpose)
    organisations = ControllerFormSet(sent, initial=parties, prefix="controllers")
    status = 200
    if request.method == "POST":
        status = UNPROCESSABLE
        if form.is_valid() and organisations.is_valid():
            try:
                saved = save_purpose(request, purpose, form, parties_in(organisations))
            except IncompletePurpose as error:
                show_problems(form, error.problems)
            except ConsentError as error:
                status = refuse(form, error)
            else:
                messages.success(request, _("Saved as a draft. Below is what it still needs."))
                return redirect("operate_purpose", saved.id)
        else:  # what the rules would say next is said now
            show_problems(form, problems_in(form.cleaned_data))
    context = {
        "form": form,
        "organisations": organisations,
        "purpose": purpose,
        "refused_sectors": REFUSED_SECTORS,
        "refused_uses": REFUSED_USES,
        "back_url": reverse("operate_purpose", args=[purpose.id])
        if purpose
        else reverse("operate_purposes"),
        "back_label": Purpose.objects.get(pk=purpose.pk).name if purpose else _("Purposes"),
    }
    return render(request, "operators/purpose_form.html", context, status=status)


def show_problems(form: PurposeForm, problems: dict[str, str]) -> None:
    """Show each problem at its field, unless something else is wrong there; what has no field, above."""
    wrong = set(form.errors)
    for name, words in problems.items():
        if name not in wrong:
            form.add_error(name if name in form.fields else None, words)


def save_purpose(
    request: HttpRequest,
    purpose: Purpose | None,
    form: PurposeForm,
    controllers: list[dict[str, str]],
) -> Purpose:
    """Hand what the form holds to the flow; raises what that refuses."""
    actor, author = actor_of(request), cast(User, request.user)
    values = form.cleaned_data
    if purpose is None:
        return create_purpose(actor, author, controllers=controllers, **values)
    return change_purpose(actor, author, purpose.id, controllers=controllers, **values)


@require_permission("consent.view_purpose")
@require_safe
def purpose_detail(request: HttpRequest, purpose_id: UUID) -> HttpResponse:
    """One purpose: what it is, its notices, who works with it, and what to do next."""
    return show_purpose(request, find_purpose(actor_of(request), purpose_id), AssignForm())


def whole(purpose: Purpose) -> Purpose:
    """The purpose with everything that its pages show, in a fixed number of queries."""
    newest = Prefetch("notices", Notice.objects.order_by("-version", "language"), "all_notices")
    return (
        Purpose.objects.select_related("created_by", "opened_by")
        .prefetch_related(newest, "controllers", "exception_approvals__by")
        .get(pk=purpose.pk)
    )


def about(request: HttpRequest, purpose: Purpose) -> dict[str, Any]:
    """What every page that shows the whole of a purpose needs; ``purpose`` from ``whole``."""
    assessment = newest_assessment(purpose)
    state, words = assessment_words(assessment)
    reviewer = cast(User, request.user)
    decides = reviewer.has_perm("consent.open_purpose")
    in_review = purpose.state == PurposeState.IN_REVIEW
    undecided = in_review or purpose.state in EDITABLE
    missing = missing_for_review(purpose) if purpose.state in EDITABLE else []
    if in_review:
        missing = missing_for_opening(purpose, reviewer if decides else None)
    return {
        "purpose": purpose,
        "sections": sections_of(purpose),
        "notices": getattr(purpose, "all_notices", []),
        "assessment": assessment,
        "assessment_state": state,
        "assessment_words": words,
        "missing": missing,
        "found_words": look_again(purpose) if undecided else [],
        "outlasting": outlasting_periods(purpose) if undecided else [],
        "may_open": not is_author(reviewer, purpose),
        "editable": purpose.state in EDITABLE,
    }


def show_purpose(
    request: HttpRequest, purpose: Purpose, form: AssignForm, status: int = 200
) -> HttpResponse:
    """Render a purpose; the form in it is the one that assigns a researcher."""
    found = whole(purpose)
    states = visible_states(actor_of(request)).filter(purpose=found)
    last = last_substantive([found.id]).get(found.id, 0)
    context = about(request, found) | {
        "people": counts(states),
        "older": states.filter(status=ConsentStatus.GIVEN, notice__version__lt=last).count(),
        "members": PurposeMember.objects.filter(purpose=found)
        .select_related("user")
        .order_by("since"),
        "assign_form": form,
        "holds": found.holds.standing().order_by("-ends_at"),
        "may_be_held": found.state in {PurposeState.OPEN, PurposeState.CLOSED},
    }
    return render(request, "operators/purpose.html", context, status=status)


def counts(states: Any) -> list[tuple[str, str, int]]:
    """How many people are in each consent state: (state, label, number), one query."""
    found = dict(states.values_list("status").annotate(number=Count("pk")))
    choices = ConsentState._meta.get_field("status").flatchoices
    return [(str(value), str(label), found.get(value, 0)) for value, label in choices]


@require_permission("consent.assign_researcher")
@require_POST
def purpose_assign(request: HttpRequest, purpose_id: UUID) -> HttpResponse:
    """Let a researcher work with this purpose."""
    actor = actor_of(request)
    purpose = find_purpose(actor, purpose_id)
    form = AssignForm(request.POST)
    if form.is_valid():
        try:
            assign(actor, purpose, form.cleaned_data["researcher"])
        except ConsentError as error:
            refuse(form, error)
        else:
            messages.success(request, _("The researcher can see this purpose now."))
            return redirect("operate_purpose", purpose.id)
    return show_purpose(request, purpose, form, UNPROCESSABLE)
