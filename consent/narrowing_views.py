"""The page on which a person pauses a study, stops one data category or says yes to another."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.actors import actor_of
from accounts.permissions import require_permission
from consent.errors import ConsentError
from consent.models import (
    ConsentState,
    ConsentStatus,
    DataCategory,
    PurposeState,
    category_label,
)
from consent.narrowing import pause, resume, stop_category
from consent.notice_pages import Choice, page_in
from consent.views import own_state, own_subject
from consent.widening import add_category, can_say_yes_to_more


@require_permission("consent.withdraw_consent")
@require_http_methods(["GET", "POST"])
def change(request: HttpRequest, purpose_id: UUID) -> HttpResponse:
    """What the consent covers now; each part that can go has one button, and so has the pause."""
    state = own_state(request, purpose_id)
    if request.method == "POST":
        try:
            done = carry_out(request, state)
        except ConsentError as refused:
            messages.error(request, str(refused))
        else:
            if done:
                messages.success(request, done)
        return redirect("consent_change", purpose_id)
    if state.status != ConsentStatus.GIVEN:
        return redirect("subject_home")
    context = {
        "purpose": state.purpose,
        "state": state,
        "categories": [
            {
                "value": each,
                "label": category_label(each, state.purpose.takes),
                "needed": each == DataCategory.MEDIA,
            }
            for each in state.categories
        ],
        "others": other_parts(state),
        "notice_language": page_in(state.notice, get_language()).language if state.notice else "",
        "can_add": can_say_yes_to_more(state),
    }
    return render(request, "consent/change.html", context)


def other_parts(state: ConsentState) -> list[Choice]:
    """The parts of an open study that the consent does not cover, as the notice describes them."""
    if state.notice is None or state.purpose.state != PurposeState.OPEN:
        return []
    choices = page_in(state.notice, get_language()).choices
    return [choice for choice in choices if choice.value not in state.categories]


def carry_out(request: HttpRequest, state: ConsentState) -> str:
    """Do what the pressed button says; returns what to tell, or nothing when nothing changed."""
    actor, subject, purpose = actor_of(request), own_subject(request), state.purpose
    step = request.POST.get("step", "")
    if step == "pause" and pause(actor, subject, purpose):
        return _("Paused: nothing is recorded, measured or opened by others until you say so.")
    if step == "resume" and resume(actor, subject, purpose):
        return _("The study goes on.")
    if step.startswith("stop:") and stop_category(actor, subject, purpose, step[5:]):
        return _("Stopped. What was measured of it is being erased.")
    if step.startswith("add:") and add_category(actor, subject, purpose, step[4:]):
        return _("You said yes to it. Everything else stays as it was.")
    return ""
