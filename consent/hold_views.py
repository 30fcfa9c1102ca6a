"""The data protection officer's pages of legal holds: what stands, placing one, lifting one."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from accounts.actors import actor_of
from accounts.models import User
from accounts.permissions import require_permission
from audit_log.paging import page_of
from consent.errors import InvalidHold
from consent.forms import ConfirmForm
from consent.hold_forms import ONE, HoldForm
from consent.holds import day, lift_hold, person_in, place_hold
from consent.models import ConsentState, ErasureRequest, LegalHold, Purpose
from consent.step_views import take_step
from consent.visibility import find_purpose, visible_purposes


@require_permission("consent.view_holds")
@require_safe
def holds(request: HttpRequest) -> HttpResponse:
    """Every hold that stands, or every hold that ever was; a person in it is an opaque number's end."""
    rows = LegalHold.objects.filter(purpose__in=visible_purposes(actor_of(request)))
    everything = request.GET.get("show") == "all"
    if not everything:
        rows = rows.standing()
    rows = rows.select_related("purpose", "placed_by", "lifted_by")
    context = {
        "page": page_of(request, rows),
        "everything": everything,
        "waiting": ErasureRequest.objects.held().count(),
    }
    return render(request, "operators/holds.html", context)


def number_in(purpose: Purpose, number: str) -> str:
    """The number that a link brings along, or nothing where it is nobody's in this purpose."""
    try:
        person_in(purpose, number)
    except InvalidHold:
        return ""
    return number


def covered_words(number: str, people: int) -> str:
    """Whom the hold covers: the person whose page led here, or whom the form names."""
    if number:
        return _(
            "As the form is filled in now: nothing of person %(number)s in this purpose is destroyed. Of "
            "everybody else it goes on."
        ) % {"number": number}
    return ngettext(
        "Nothing of whom you choose below is destroyed: of one person, or of everybody, "
        "%(number)d person.",
        "Nothing of whom you choose below is destroyed: of one person, or of everybody, "
        "%(number)d people.",
        people,
    ) % {"number": people}


@require_permission("consent.place_hold")
@require_http_methods(["GET", "HEAD", "POST"])
def hold_place(request: HttpRequest, purpose_id: UUID) -> HttpResponse:
    """Say what a hold will postpone, and for whom; the name of the purpose is asked for."""
    actor = actor_of(request)
    purpose = find_purpose(actor, purpose_id)
    people = ConsentState.objects.filter(purpose=purpose).count()
    number = number_in(purpose, request.GET.get("person", ""))
    form = HoldForm(
        request.POST or None,
        purpose=purpose,
        people=people,
        initial={"whom": ONE, "number": number} if number else {},
    )
    page = {
        "title": _("Place a legal hold"),
        "lead": _("It postpones destruction. It lets nobody see anything."),
        "happens": [
            covered_words(number, people),
            _("What a withdrawal, a date or a dispute has closed stays closed; erasures wait."),
            _(
                "Photographs that are not kept after their analysis are kept too, and open to nobody."
            ),
            _("What is being destroyed already is not brought back."),
            _("People in it read on their own pages that a hold stands, why, and until when."),
        ],
        "button": _("Place the hold"),
        "danger": True,
    }
    return take_step(
        request,
        purpose,
        lambda: place_hold(actor, cast(User, request.user), purpose, **form.terms()),
        done=_("The hold stands."),
        page=page,
        form=form,
    )


@require_permission("consent.place_hold")
@require_http_methods(["GET", "HEAD", "POST"])
def hold_lift(request: HttpRequest, hold_id: UUID) -> HttpResponse:
    """End a hold before its date: what waited for it is destroyed."""
    actor = actor_of(request)
    visible = LegalHold.objects.filter(purpose__in=visible_purposes(actor))
    hold = visible.select_related("purpose").filter(pk=hold_id).first()
    if hold is None:
        raise Http404
    waiting = ErasureRequest.objects.held().filter(purpose=hold.purpose)
    if hold.subject_id:
        waiting = waiting.filter(subject_id=hold.subject_id)
    number = waiting.count()
    page = {
        "title": _("Lift the legal hold"),
        "lead": _("%(reason)s; it would end on %(day)s.")
        % {"reason": hold.get_reason_display(), "day": day(hold.ends_at)},
        "happens": [
            ngettext(
                "%(number)d erasure waits; it goes on at once unless another hold stands over it.",
                "%(number)d erasures wait; they go on at once unless another hold stands over them.",
                number,
            )
            % {"number": number},
            _("What they destroy cannot be brought back."),
        ],
        "button": _("Lift the hold"),
        "danger": True,
    }
    return take_step(
        request,
        hold.purpose,
        lambda: lift_hold(actor, cast(User, request.user), hold.id),
        done=_("The hold is lifted."),
        page=page,
        form=ConfirmForm(request.POST or None, expected=hold.purpose.name),
    )
