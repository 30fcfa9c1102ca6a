"""The steps in the life of a purpose: each page says what will happen before it is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.actors import actor_of
from accounts.models import User
from accounts.permissions import require_permission
from consent.errors import ConsentError
from consent.forms import ConfirmForm
from consent.models import Purpose
from consent.operator_views import UNPROCESSABLE
from consent.purposes import close_purpose, open_purpose, submit_for_review
from consent.visibility import find_purpose


def take_step(
    request: HttpRequest,
    purpose: Purpose,
    do: Callable[[], object],
    *,
    done: str,
    page: dict[str, Any],
    confirm: bool = False,
) -> HttpResponse:
    """Say exactly what a step will do; on POST do it and go back to the purpose.

    With ``confirm`` the name of the purpose has to be typed.
    """
    form = ConfirmForm(request.POST or None, expected=purpose.name) if confirm else None
    status, refusal = 200, ""
    if request.method == "POST":
        status = UNPROCESSABLE
        if form is None or form.is_valid():
            try:
                do()
            except ConsentError as error:
                refusal = str(error)
            else:
                messages.success(request, done)
                return redirect("operate_purpose", purpose.id)
    context = {"purpose": purpose, "form": form, "refusal": refusal, **page}
    return render(request, "operators/step.html", context, status=status)


@require_permission("consent.submit_purpose")
@require_http_methods(["GET", "HEAD", "POST"])
def purpose_submit(request: HttpRequest, purpose_id: UUID) -> HttpResponse:
    """Hand a draft to the data protection officer."""
    actor = actor_of(request)
    purpose = find_purpose(actor, purpose_id)
    page = {
        "title": _("Submit for review"),
        "lead": _("The data protection officer reads the purpose and its notice, and may open it."),
        "happens": [
            _("The purpose moves from draft to review."),
            _("Nobody can be invited and nothing is recorded before it is open."),
        ],
        "button": _("Submit for review"),
    }
    return take_step(
        request,
        purpose,
        lambda: submit_for_review(actor, purpose.id),
        done=_("The purpose waits for the data protection officer."),
        page=page,
    )


@require_permission("consent.open_purpose")
@require_http_methods(["GET", "HEAD", "POST"])
def purpose_open(request: HttpRequest, purpose_id: UUID) -> HttpResponse:
    """The data protection officer opens a purpose."""
    actor = actor_of(request)
    purpose = find_purpose(actor, purpose_id)
    reviewer = cast(User, request.user)
    page = {
        "title": _("Open this purpose"),
        "lead": _("You decide as data protection officer; your decision is in the log."),
        "happens": [
            _("People can be invited, and can say yes or no to the notice in force."),
            _("Photographs of those who say yes can be uploaded and analysed."),
        ],
        "button": _("Open the purpose"),
    }
    return take_step(
        request,
        purpose,
        lambda: open_purpose(actor, reviewer, purpose.id),
        done=_("The purpose is open."),
        page=page,
    )


@require_permission("consent.close_purpose")
@require_http_methods(["GET", "HEAD", "POST"])
def purpose_close(request: HttpRequest, purpose_id: UUID) -> HttpResponse:
    """Close a purpose for good."""
    actor = actor_of(request)
    purpose = find_purpose(actor, purpose_id)
    page = {
        "title": _("Close this purpose"),
        "lead": _("A closed purpose cannot be opened again."),
        "happens": [
            _("From now on every upload and every analysis for it is refused."),
            _("Nobody can be invited or can consent any more."),
            _(
                "Results that exist stay readable, with a stated reason, until their retention ends."
            ),
            _("People can still see, download and withdraw what is theirs."),
        ],
        "button": _("Close for good"),
        "danger": True,
    }
    return take_step(
        request,
        purpose,
        lambda: close_purpose(actor, purpose.id),
        done=_("The purpose is closed."),
        page=page,
        confirm=True,
    )
