"""Operators' pages about purposes and their notices: parse, call the flow, render."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django.contrib import messages
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
from consent.errors import ConsentError
from consent.forms import AssignForm, NoticeForm, PurposeForm
from consent.models import ConsentState, ConsentStatus, Notice, Purpose, PurposeMember, PurposeState
from consent.notices import publish_notice
from consent.purposes import assign, create_purpose
from consent.screening import REFUSED_SECTORS, REFUSED_USES
from consent.visibility import find_purpose, visible_purposes, visible_states

UNPROCESSABLE = 422


def refuse(form: BaseForm, error: ConsentError) -> int:
    """Show a flow's refusal on the form it came from; returns the status of the answer."""
    form.add_error(None, str(error))
    return UNPROCESSABLE


@require_permission("consent.view_purpose")
@require_safe
def purposes(request: HttpRequest) -> HttpResponse:
    """Every purpose this operator may know of, with its state and how many people are in it."""
    rows = visible_purposes(actor_of(request)).annotate(
        people=Count("consent_states", distinct=True), version=Max("notices__version")
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
    form, status = PurposeForm(request.POST or None), 200
    if request.method == "POST":
        status = UNPROCESSABLE
        if form.is_valid():
            author = cast(User, request.user)
            try:
                purpose = create_purpose(actor_of(request), author, **form.cleaned_data)
            except ConsentError as error:
                status = refuse(form, error)
            else:
                messages.success(
                    request, _("The purpose is a draft now. Next: its privacy notice.")
                )
                return redirect("operate_purpose", purpose.id)
    context = {
        "form": form,
        "refused_sectors": REFUSED_SECTORS,
        "refused_uses": REFUSED_USES,
        "back_url": reverse("operate_purposes"),
        "back_label": _("Purposes"),
    }
    return render(request, "operators/purpose_new.html", context, status=status)


@require_permission("consent.view_purpose")
@require_safe
def purpose_detail(request: HttpRequest, purpose_id: UUID) -> HttpResponse:
    """One purpose: what it is, its notices, who works with it, and what to do next."""
    return show_purpose(request, find_purpose(actor_of(request), purpose_id), AssignForm())


def show_purpose(
    request: HttpRequest, purpose: Purpose, form: AssignForm, status: int = 200
) -> HttpResponse:
    """Render a purpose; the form in it is the one that assigns a researcher."""
    newest = Prefetch("notices", Notice.objects.order_by("-version", "language"), "all_notices")
    found = (
        Purpose.objects.select_related("created_by", "opened_by")
        .prefetch_related(newest)
        .get(pk=purpose.pk)
    )
    states = visible_states(actor_of(request)).filter(purpose=found)
    members = PurposeMember.objects.filter(purpose=found).select_related("user").order_by("since")
    context = {
        "purpose": found,
        "uses": labels(found.uses, "uses"),
        "categories": labels(found.categories, "categories"),
        "notices": getattr(found, "all_notices", []),
        "people": counts(states),
        "members": members,
        "assign_form": form,
        "may_open": found.created_by_id != request.user.pk,
    }
    return render(request, "operators/purpose.html", context, status=status)


def labels(values: list[str], field: str) -> list[Any]:
    """What people call the stored values of one of the form's closed lists."""
    known = {str(value): label for value, label in flat(PurposeForm.base_fields[field])}
    return [known.get(value, value) for value in values]


def flat(field: Any) -> list[tuple[Any, Any]]:
    """The choices of a form field, as a list."""
    return list(field.choices)


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


@require_permission("consent.publish_notice")
@require_http_methods(["GET", "HEAD", "POST"])
def notice_new(request: HttpRequest, purpose_id: UUID) -> HttpResponse:
    """Publish the next version of a purpose's notice; it starts from the one in force."""
    actor = actor_of(request)
    purpose = find_purpose(actor, purpose_id)
    newest = list(purpose.notices.order_by("-version", "language"))
    current = newest[0].version if newest else 0
    initial = {
        f"{part}_{notice.language}": getattr(notice, part)
        for notice in newest
        if notice.version == current
        for part in ("title", "summary", "text")
    }
    form, status = NoticeForm(request.POST or None, initial=initial), 200
    if request.method == "POST":
        status = UNPROCESSABLE
        if form.is_valid():
            try:
                published = publish_notice(actor, purpose, form.texts())
            except ConsentError as error:
                status = refuse(form, error)
            else:
                told = _("Version %(number)d of the notice is published.")
                messages.success(request, told % {"number": published[0].version})
                return redirect("operate_purpose", purpose.id)
    context = {
        "form": form,
        "purpose": purpose,
        "version": current + 1,
        "bound_to_earlier": ConsentState.objects.filter(
            purpose=purpose, status=ConsentStatus.GIVEN
        ).count(),
        "back_url": reverse("operate_purpose", args=[purpose.id]),
        "back_label": purpose.name,
    }
    return render(request, "operators/notice_new.html", context, status=status)
