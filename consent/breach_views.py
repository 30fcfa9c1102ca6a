"""Pages of breach records: the officer writes, administrators read, and people read what they were told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import (
    require_GET,
    require_http_methods,
    require_POST,
    require_safe,
)

from accounts.actors import actor_of
from accounts.models import User
from accounts.permissions import require_permission
from audit_log.paging import page_of
from consent.breach_forms import BreachForm, NotifyForm, TellForm, actor_label
from consent.breach_reach import not_yet_in_the_tree
from consent.breach_telling import read_own, told_to
from consent.breach_texts import read_record
from consent.breaches import close_breach, draw_again, notify, record_breach, span_of, tell
from consent.errors import InvalidBreach
from consent.holds import purposes_to_hold, within
from consent.models import Breach
from consent.operator_views import UNPROCESSABLE, refuse, tried
from consent.views import own_subject

SEE, WRITE = "consent.view_breaches", "consent.record_breach"
SHOWN = 500
"""How many people a page lists; their number is always the whole one."""


@require_permission(SEE)
@require_safe
def breaches(request: HttpRequest) -> HttpResponse:
    """Every record with its clock; nothing of what happened."""
    page = page_of(request, Breach.objects.kept().select_related("purpose"))
    return render(request, "operators/breaches.html", {"page": page})


@require_permission(WRITE)
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def breach_new(request: HttpRequest) -> HttpResponse:
    """Write a breach down; whom it concerns is drawn from the log at once."""
    form, status = BreachForm(request.POST or None), 200
    if request.method == "POST":
        status = UNPROCESSABLE
        if form.is_valid():
            try:
                made = record_breach(actor_of(request), cast(User, request.user), **form.terms())
            except InvalidBreach as error:
                status = refuse(form, error)
            else:
                messages.success(request, _("Recorded. Below is whom it concerns."))
                return redirect("operate_breach", made.id)
    context = {
        "form": form,
        "heading": _("Record a data breach"),
        "lead": _("Write down what is known now; the list of people is drawn from the access log."),
        "button": _("Record it"),
        "back_url": reverse("operate_breaches"),
        "back_label": _("Data breaches"),
    }
    return render(request, "operators/form_page.html", context, status=status)


@require_permission(SEE)
@require_safe
@never_cache
def breach_detail(request: HttpRequest, breach_id: UUID) -> HttpResponse:
    """The whole record, to read and to print; opening it is an entry."""
    kept = Breach.objects.kept().select_related("purpose", "recorded_by")
    breach = get_object_or_404(kept, pk=breach_id)
    opened = read_record(actor_of(request), breach)
    people = breach.people.select_related("subject").order_by("-entries", "pk")
    listed = list(people[:SHOWN])
    purposes = purposes_to_hold(row.subject_id for row in listed)
    context = {
        "breach": breach,
        "words": opened.words,
        "told_words": opened.told,
        "actor": breach.actor and actor_label(breach.actor),
        "lines": [
            {"row": row, "holdable": within(breach.purpose_id, purposes.get(row.subject_id, []))}
            for row in listed
        ],
        "number": people.count(),
        "entries": sum(people.values_list("entries", flat=True)),
        "told": people.filter(told_at__isnull=False).count(),
        "by_message": people.filter(by_message=True).count(),
        "left": people.filter(subject__closed_at__isnull=False, told_at=None).count(),
        "waiting": 0 if breach.told_at else not_yet_in_the_tree(span_of(breach)),
        "shown": SHOWN,
    }
    return render(request, "operators/breach.html", context)


@require_permission(WRITE)
@require_POST
def breach_draw(request: HttpRequest, breach_id: UUID) -> HttpResponse:
    """Draw the list anew."""
    get_object_or_404(Breach.objects.kept(), pk=breach_id)
    try:
        draw_again(actor_of(request), cast(User, request.user), breach_id)
    except InvalidBreach as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The list is drawn anew."))
    return redirect("operate_breach", breach_id)


def step(
    request: HttpRequest,
    breach: Breach,
    form: Form,
    do: Callable[[], object],
    page: dict[str, Any],
) -> HttpResponse:
    """One step of a record; on POST do what the form says."""
    if (status := tried(request, form, do)) is None:
        messages.success(request, page["done"])
        return redirect("operate_breach", breach.id)
    context = page | {
        "breach": breach,
        "form": form,
        "back_url": reverse("operate_breach", args=[breach.id]),
        "back_label": _("Data breach"),
    }
    return render(request, "operators/breach_step.html", context, status=status)


@require_permission(WRITE)
@require_http_methods(["GET", "HEAD", "POST"])
def breach_notify(request: HttpRequest, breach_id: UUID) -> HttpResponse:
    """When the authority was told, or why it need not be."""
    breach = get_object_or_404(Breach.objects.kept(), pk=breach_id)
    form, actor, officer = NotifyForm(request.POST or None), actor_of(request), request.user
    page = {
        "heading": _("The authority"),
        "lead": _("The program tells no authority. Tell it yourself, then write down here when."),
        "button": _("Write it down"),
        "done": _("Written down."),
    }
    return step(
        request,
        breach,
        form,
        lambda: notify(actor, cast(User, officer), breach.id, form.given()),
        page,
    )


@require_permission(WRITE)
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def breach_tell(request: HttpRequest, breach_id: UUID) -> HttpResponse:
    """What everybody on the list is told, or why they need not be."""
    breach = get_object_or_404(Breach.objects.kept(), pk=breach_id)
    form, actor, officer = TellForm(request.POST or None), actor_of(request), request.user
    page = {
        "heading": _("The people"),
        "lead": _(
            "Everybody on the list finds these words on their own page; who gave an address gets them "
            "as a message. It cannot be taken back."
        ),
        "button": _("Go on"),
        "done": _("Written down. Whoever is to be told is told by the keeper now."),
    }
    return step(
        request,
        breach,
        form,
        lambda: tell(actor, cast(User, officer), breach.id, **form.given()),
        page,
    )


@require_permission(WRITE)
@require_http_methods(["GET", "HEAD", "POST"])
def breach_close(request: HttpRequest, breach_id: UUID) -> HttpResponse:
    """Close the record."""
    breach = get_object_or_404(Breach.objects.kept(), pk=breach_id)
    actor, officer = actor_of(request), cast(User, request.user)
    page = {
        "heading": _("Close the record"),
        "lead": _("It stays readable for three years, then it is erased."),
        "button": _("Close it"),
        "done": _("The record is closed."),
    }
    form = Form(request.POST if request.method == "POST" else None)
    return step(request, breach, form, lambda: close_breach(actor, officer, breach.id), page)


@require_permission("consent.view_own_consents")
@require_GET
@never_cache
def own_breach(request: HttpRequest, breach_id: UUID) -> HttpResponse:
    """What the signed-in person was told of a breach that concerned them."""
    subject = own_subject(request)
    found = get_object_or_404(told_to(subject), pk=breach_id)
    context = {"breach": found, "text": read_own(actor_of(request), subject, found)}
    return render(request, "consent/breach.html", context)
