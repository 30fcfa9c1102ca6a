"""The operators' pages of people's requests: a list by clock, and taking, reading and answering one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.actors import Actor, actor_of
from accounts.models import User
from accounts.permissions import require_permission
from consent.errors import ConsentError, InvalidRequest
from consent.forms import REQUEST_REASONS, opening_form
from consent.holds import purposes_to_hold, within
from consent.models import ConsentState, Purpose, RequestState, SubjectRequest
from consent.operator_views import UNPROCESSABLE, refuse, tried
from consent.request_answers import ANSWERERS, answer, extend, read, take
from consent.request_clock import days_left
from consent.request_desk_forms import AnswerForm, ExtensionForm
from consent.request_texts import OpenTexts
from consent.request_views import about
from consent.visibility import visible_states

AT_ONCE = 50


def find_asked(request_id: UUID) -> SubjectRequest:
    """A request that is not being erased; 404 otherwise."""
    rows = SubjectRequest.objects.select_related("purpose", "owner", "subject")
    found = rows.filter(pk=request_id, erased_at=None).first()
    if found is None:
        raise Http404
    return found


def about_to_staff(asked: SubjectRequest) -> dict[str, Any]:
    """What the staff's pages show of a request; of one that was taken back there is nothing to read."""
    context = about(asked)
    return context | {"has_text": context["has_text"] and asked.state != RequestState.RETRACTED}


def holdable(asked: SubjectRequest, purposes: dict[UUID, list[Purpose]]) -> list[Purpose]:
    """In which purposes, of those that the request is about, a hold on this person can be placed."""
    return within(asked.purpose_id, purposes.get(asked.subject_id, []))


def parts_of(actor: Actor, subject_id: UUID) -> list[ConsentState]:
    """What this operator may see of a person, study by study."""
    states = visible_states(actor).filter(subject_id=subject_id).select_related("purpose")
    return list(states.order_by("purpose__name"))


@require_permission(ANSWERERS)
@require_safe
def requests(request: HttpRequest) -> HttpResponse:
    """What waits, the most urgent first; or everything, the newest first. Opaque ids only."""
    rows = SubjectRequest.objects.filter(erased_at=None).select_related("purpose", "owner")
    everything = request.GET.get("show") == "all"
    rows = rows.order_by("-id") if everything else rows.waiting().order_by("due_at", "id")
    page = Paginator(rows, AT_ONCE).get_page(request.GET.get("page"))
    purposes = purposes_to_hold(asked.subject_id for asked in page)
    context = {
        "page": page,
        "lines": [
            {"asked": asked, "days": days_left(asked.due_at), "holdable": holdable(asked, purposes)}
            for asked in page
        ],
        "everything": everything,
        "overdue": SubjectRequest.objects.overdue().count(),
    }
    return render(request, "operators/requests.html", context)


@require_permission(ANSWERERS)
@require_safe
def request_detail(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """One request: what is asked, its clock, who looks after it, and what can be done."""
    asked = find_asked(request_id)
    context = about_to_staff(asked) | {
        "mine": asked.owner_id == request.user.pk,
        "parts": [] if asked.purpose_id else parts_of(actor_of(request), asked.subject_id),
        "may_extend": asked.extended_at is None and not asked.is_overdue,
        "holdable": holdable(asked, purposes_to_hold([asked.subject_id])),
        "back_url": reverse("operate_requests"),
        "back_label": _("Requests"),
    }
    return render(request, "operators/request.html", context)


@require_permission(ANSWERERS)
@require_POST
def request_take(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """Look after it from now on."""
    find_asked(request_id)
    try:
        take(actor_of(request), cast(User, request.user), request_id)
    except InvalidRequest as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, _("You look after it now."))
    return redirect("operate_request", request_id)


@require_permission(ANSWERERS)
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def request_text(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """What the person wrote: the reason is asked first, and is in the log before anything is shown."""
    asked = find_asked(request_id)
    form, status = opening_form(request, REQUEST_REASONS), 200
    opened: OpenTexts | None = None
    if form.is_bound:
        status = UNPROCESSABLE
        if form.is_valid():
            try:
                opened = read(actor_of(request), cast(User, request.user), asked, form.stated())
                status = 200
            except ConsentError as error:
                status = refuse(form, error)
    context = about_to_staff(asked) | {"form": form, "opened": opened}
    return render(request, "operators/request_text.html", context, status=status)


def step(
    request: HttpRequest,
    asked: SubjectRequest,
    form: Form,
    do: Callable[[], object],
    page: dict[str, Any],
) -> HttpResponse:
    """A form about a request that this operator has taken; on POST do what it says."""
    if not asked.is_waiting or asked.owner_id != request.user.pk:
        messages.error(request, _("Take the request first; whoever takes it answers it."))
        return redirect("operate_request", asked.id)
    if (status := tried(request, form, do)) is None:
        messages.success(request, page["done"])
        return redirect("operate_request", asked.id)
    context = about(asked) | page
    context |= {
        "form": form,
        "back_url": reverse("operate_request", args=[asked.id]),
        "back_label": _("Request"),
    }
    return render(request, "operators/request_step.html", context, status=status)


@require_permission(ANSWERERS)
@require_http_methods(["GET", "HEAD", "POST"])
def request_extend(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """Two months more; the person is told why."""
    asked, form = find_asked(request_id), ExtensionForm(request.POST or None)
    page = {
        "heading": _("Take two months more"),
        "lead": _("Once, within the first month. The person is told until when, and why."),
        "button": _("Take two months more"),
        "done": _("There are two months more; the person is told."),
    }
    actor, user = actor_of(request), cast(User, request.user)
    return step(request, asked, form, lambda: extend(actor, user, asked.id, form.stated()), page)


@require_permission(ANSWERERS)
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def request_answer(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """What came of it, in words for the person."""
    asked, form = find_asked(request_id), AnswerForm(request.POST or None)
    page = {
        "heading": _("Answer the request"),
        "lead": _("An answer is final. Do first what you say that you did."),
        "button": _("Send the answer"),
        "done": _("Answered; the person is told."),
    }
    actor, user = actor_of(request), cast(User, request.user)
    return step(request, asked, form, lambda: answer(actor, user, asked.id, form.given()), page)
