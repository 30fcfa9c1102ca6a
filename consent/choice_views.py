"""The notice and its choices: what the person answers, and what they are told before anything is erased."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.actors import actor_of
from accounts.permissions import require_permission
from consent.ending_soon import ends_soon
from consent.errors import ConsentError, InvalidChoice, InvalidNotice, PartsLeftOut
from consent.giving import give_consent, refuse_consent
from consent.holds import hold_over, hold_words
from consent.models import ConsentState, ConsentStatus, DataSubject, Notice, Purpose
from consent.notice_pages import page_in
from consent.notices import last_substantive, renewal_asked
from consent.records import notice_in_force, record_notice_shown
from consent.views import category_labels, own_state, own_subject

UNPROCESSABLE = 422
AGES = {"alone": True, "younger": False}
"""What the form says about the person's age: old enough to say yes alone, or not."""


def decide(request: HttpRequest, subject: DataSubject, current: Notice) -> ConsentError | None:
    """Record what the form says; returns why nothing was recorded, or None when it was."""
    try:
        if answer(request) == "refuse":
            read = current.purpose.notices.filter(pk__in=uuids(said(request, "notice"))).first()
            refuse_consent(actor_of(request), subject, read or current)
        else:
            require_same_notice(request, current)
            give_consent(
                actor_of(request),
                subject,
                current,
                request.POST.getlist("categories"),
                AGES.get(said(request, "age")),
                gives_up=request.POST.getlist("gives_up"),
            )
    except ConsentError as refused:
        return refused
    return None


def said(request: HttpRequest, name: str) -> str:
    """What a form says in a field, or nothing where it says two things at once."""
    values = request.POST.getlist(name)
    return values[0] if len(values) == 1 else ""


def answer(request: HttpRequest) -> str:
    """Yes (give) or no (refuse). Raises InvalidChoice for anything else, and for both at once."""
    decision = said(request, "decision")
    if decision not in {"give", "refuse"}:
        raise InvalidChoice(_("Nothing was recorded: please answer with one of the two buttons."))
    return decision


def goes_back(request: HttpRequest) -> bool:
    """Whether somebody who was told what would be erased goes back to their ticks."""
    return said(request, "decision") == "again"


def only_says_age(request: HttpRequest, purpose: Purpose) -> bool:
    """Whether somebody said that they are old enough, and has not seen the choices yet."""
    decides = "decision" in request.POST
    return purpose.guardian_allowed and said(request, "age") == "alone" and not decides


def require_same_notice(request: HttpRequest, current: Notice) -> None:
    """Raise InvalidNotice when the form carries another notice than the one in force."""
    if uuids(said(request, "notice")) != [current.id]:
        raise InvalidNotice(
            _(
                "The notice has changed since you opened it, and nothing was recorded. "
                "Please read this version and choose again."
            )
        )


def is_for_a_guardian(request: HttpRequest, purpose: Purpose) -> bool:
    """Whether somebody too young to say yes alone wants to go on where a guardian can say it."""
    asks = request.POST.getlist("decision") in ([], ["give"])
    return asks and said(request, "age") == "younger" and purpose.guardian_allowed


def uuids(text: str) -> list[UUID]:
    """The id in a form's field, or none when it is no id."""
    try:
        return [UUID(text)]
    except ValueError:
        return []


def standing_parts(state: ConsentState) -> list[str] | None:
    """What the standing consent covers, said beside each box; None where none stands."""
    return state.categories if state.status == ConsentStatus.GIVEN else None


def ask_before_erasing(
    request: HttpRequest, state: ConsentState, left_out: PartsLeftOut, fields: tuple[str, ...]
) -> HttpResponse:
    """The step before a choice that erases: what it erases, and the way back with every tick kept.

    ``fields``: those of the form that are carried along.
    """
    context = {
        "purpose": state.purpose,
        "hold": hold_words(hold_over(state.subject_id, state.purpose_id)),
        "parts": category_labels(left_out.parts, state.purpose),
        "gives_up": left_out.parts,
        "fields": [(name, value) for name in fields for value in request.POST.getlist(name)],
    }
    return render(request, "consent/leave_out.html", context, status=UNPROCESSABLE)


@require_permission("consent.give_consent")
@require_http_methods(["GET", "POST"])
def notice(request: HttpRequest, purpose_id: UUID) -> HttpResponse:
    """The notice in layers and the separate, unticked choices; read only while consent stands."""
    state, subject = own_state(request, purpose_id), own_subject(request)
    current = notice_in_force(state.purpose, get_language() or settings.LANGUAGE_CODE)
    error = None
    if state.status == ConsentStatus.CANCELLED:
        return redirect("subject_home")
    if is_for_a_guardian(request, state.purpose):
        return redirect("consent_guardian", purpose_id)
    goes_on = goes_back(request) or only_says_age(request, state.purpose)
    if request.method == "POST" and not goes_on:
        error = decide(request, subject, current)
        if not error:
            return redirect("consent_done", purpose_id)
        if isinstance(error, PartsLeftOut):
            return ask_before_erasing(request, state, error, ("notice", "age", "categories"))
    # Also after a refused form: what stands on the screen now was shown now.
    page = page_in(current, get_language())
    record_notice_shown(actor_of(request), subject, current, page.language)
    context = about(state, current) | {
        "page": page,
        "chosen": request.POST.getlist("categories"),
        "asks_age": state.purpose.guardian_allowed and said(request, "age") != "alone",
        "error": error,
        "choosing": request.method == "POST",
    }
    return render(request, "consent/notice.html", context, status=UNPROCESSABLE if error else 200)


def about(state: ConsentState, current: Notice) -> dict[str, Any]:
    """What the page of the notice in force says about the person's own consent."""
    given = state.status == ConsentStatus.GIVEN and state.notice is not None
    renewal = renewal_asked(state, last_substantive([state.purpose_id]))
    return {
        "purpose": state.purpose,
        "hold": hold_words(hold_over(state.subject_id, state.purpose_id)),
        "notice": current,
        "state": state,
        "agreed": given and not renewal,
        "renewal": renewal,
        "ends_soon": ends_soon(state),
        "granted": category_labels(state.categories, state.purpose),
        "standing": standing_parts(state),
    }
