"""Operators' pages about recordings and results, their first page, and health."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.actors import actor_of
from accounts.permissions import require_permission
from accounts.training import valid_of
from audit_log.models import Checkpoint
from audit_log.paging import page_of
from consent.errors import ConsentError
from consent.forms import CATEGORY_LABELS, ReasonForm
from consent.operator_views import UNPROCESSABLE, refuse
from consent.visibility import visible_purposes
from emotion.bulk import acts_of
from emotion.comparison import comparable, lettered
from emotion.errors import EmotionError, Gone, NoResult, NotReady, UnderWay
from emotion.film_views import film_beside
from emotion.health import checks
from emotion.inference.series import MEASURED_IN
from emotion.models import UNDER_WAY, Analysis, AnalysisState, Recording
from emotion.overview import overview, waiting_for
from emotion.reanalysis import analyse_again, analysed_by_other_packs, can_be_repeated
from emotion.result_pages import result_page, result_words
from emotion.results import (
    STATED_REASONS,
    OpenResult,
    find_analysis,
    find_recording,
    may_read_media,
    read_result,
)

GONE, CONFLICT = 410, 409
SHOWN_ANALYSES = 20
OTHERS = "others"
"""The value of the list's filter that asks for what other models than those in use now have read."""


@require_permission("consent.view_purpose")
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Everything at one glance, and what waits for this person."""
    actor, user = actor_of(request), request.user
    context: dict[str, Any] = {
        "overview": overview(
            actor,
            people=user.has_perm("consent.view_subjects"),
            recordings=user.has_perm("emotion.view_recordings"),
        ),
        "tasks": waiting_for(actor, user),
    }
    if user.has_perm("config.view_health"):
        context["checks"] = checks()
    if user.has_perm("audit_log.view_logentry"):
        context["checkpoint"] = Checkpoint.objects.order_by("-size").first()
    return render(request, "operators/home.html", context)


@require_permission("emotion.view_recordings")
@require_safe
def recordings(request: HttpRequest) -> HttpResponse:
    """Recordings with the state of their analysis: opaque ids and dates only."""
    actor = actor_of(request)
    rows: QuerySet[Analysis] = Analysis.objects.visible_to(actor).select_related(
        "recording__purpose"
    )
    chosen = {name: request.GET.get(name, "") for name in ("purpose", "state", "models")}
    listed = list(visible_purposes(actor).order_by("name").values_list("id", "name"))
    if chosen["purpose"] in {str(key) for key, _name in listed}:
        rows = rows.filter(recording__purpose_id=chosen["purpose"])
    if chosen["state"] in AnalysisState.values:
        rows = rows.filter(state=chosen["state"])
    if chosen["models"] == OTHERS:
        rows = analysed_by_other_packs(rows)
    context = {
        "page": page_of(request, rows),
        "purposes": listed,
        "states": AnalysisState.choices,
        "models": [(OTHERS, _("Others than now, kept"))],
        "chosen": chosen,
        "acts": acts_of(request.user),
    }
    return render(request, "operators/recordings.html", context)


@require_permission("emotion.view_recordings")
@require_safe
def recording(request: HttpRequest, recording_id: UUID) -> HttpResponse:
    """One recording: its dates, its analyses, and the way to the result. No picture."""
    found: Recording = find_recording(actor_of(request), recording_id)
    analyses = lettered(found)
    context = {
        "recording": found,
        "analyses": analyses[: -SHOWN_ANALYSES - 1 : -1],
        "several": len(analyses) > 1,
        "labels": CATEGORY_LABELS,
        "repeatable": can_be_repeated(found),
        "stoppable": next((each for _letter, each in analyses if each.state in UNDER_WAY), None),
        "comparable": len(comparable(found)),
        "dispute": found.disputes.order_by("-opened_at").first() if found.disputed_at else None,
    }
    return render(request, "operators/recording.html", context)


@require_permission("emotion.analyse_again")
@require_POST
def again(request: HttpRequest, recording_id: UUID) -> HttpResponse:
    """Analyse a kept photograph once more, with the pack in use now."""
    try:
        analyse_again(actor_of(request), recording_id)
    except (ConsentError, Gone, UnderWay) as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, _("It is analysed once more; the older result stays."))
    return redirect("operate_recording", recording_id)


@require_permission("emotion.read_result")
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def result(request: HttpRequest, analysis_id: UUID) -> HttpResponse:
    """Ask for the reason; then open the result for this one answer, with the entry that says so."""
    actor = actor_of(request)
    analysis = find_analysis(actor, analysis_id)
    form, status = ReasonForm(request.POST or None, reasons=STATED_REASONS), 200
    about = {
        "recording": analysis.recording,
        "back_url": reverse("operate_recording", args=[analysis.recording_id]),
        "back_label": _("Recording"),
    }
    if request.method == "POST":
        status = UNPROCESSABLE
        if form.is_valid():
            try:
                stated = form.stated()
                opened = read_result(actor, analysis_id, stated, MEASURED_IN)
                if may_read_media(actor):
                    about |= film_beside(analysis.recording, own=False, reason=stated)
                return show_result(request, opened, about)
            except (ConsentError, NotReady, NoResult, Gone) as error:
                status = say_why_not(form, error)
    about |= {"form": form, "trained": valid_of(actor.id).exists()}
    return render(request, "emotion/reason.html", about, status=status)


def say_why_not(form: ReasonForm, error: ConsentError | EmotionError) -> int:
    """Show on the form why a result did not open; returns the status of the answer."""
    if isinstance(error, ConsentError):
        return refuse(form, error)
    form.add_error(None, str(error))
    return GONE if isinstance(error, Gone) else CONFLICT


def show_result(request: HttpRequest, opened: OpenResult, about: dict[str, Any]) -> HttpResponse:
    """An opened result, in words first, with the log entry that allowed it."""
    context = result_words(opened) | about | {"own": False, "entry_id": opened.entry_id}
    return render(request, result_page(opened), context)


@require_permission("config.view_health")
@require_safe
def health(request: HttpRequest) -> HttpResponse:
    """Every part of the installation, and what to do about what is not well."""
    found = checks()
    context = {
        "checks": found,
        "well": all(check.kind == "live" for check in found),
        "checked_at": timezone.now(),
    }
    return render(request, "operators/health.html", context)
