"""The steps in the life of a purpose: each page says what will happen before it is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.actors import actor_of
from accounts.models import User
from accounts.permissions import require_permission
from consent.errors import ConsentError
from consent.forms import CloseForm, StatementForm
from consent.models import Purpose
from consent.operator_views import UNPROCESSABLE, about, whole
from consent.purposes import close_purpose, open_purpose, send_back, submit_for_review
from consent.screening_words import look_again
from consent.visibility import find_purpose


def take_step(
    request: HttpRequest,
    purpose: Purpose,
    do: Callable[[], object],
    *,
    done: str,
    page: dict[str, Any],
    form: Form | None = None,
    review: bool = False,
) -> HttpResponse:
    """Say exactly what a step will do; on POST do it and go back to the purpose.

    ``form``: what has to be typed first. ``review``: show the whole purpose above the step.
    """
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
    context = {"purpose": purpose, "form": form, "refusal": refusal, "review": review, **page}
    if review:
        context |= about(request, whole(purpose))
    return render(request, "operators/step.html", context, status=status)


@require_permission("consent.submit_purpose")
@require_http_methods(["GET", "HEAD", "POST"])
def purpose_submit(request: HttpRequest, purpose_id: UUID) -> HttpResponse:
    """Read everything once more, then hand the draft to the data protection officer."""
    actor = actor_of(request)
    purpose = find_purpose(actor, purpose_id)
    page = {
        "title": _("Submit for review"),
        "lead": _("Read it as the data protection officer will: they open it or send it back."),
        "happens": [
            _("The purpose moves from draft to review and cannot be changed meanwhile."),
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
        review=True,
    )


@require_permission("consent.open_purpose")
@require_http_methods(["GET", "HEAD", "POST"])
def purpose_open(request: HttpRequest, purpose_id: UUID) -> HttpResponse:
    """The data protection officer reads everything and opens the purpose."""
    actor = actor_of(request)
    purpose = find_purpose(actor, purpose_id)
    reviewer = cast(User, request.user)
    form = None
    if look_again(purpose):
        form = StatementForm(
            request.POST or None,
            label=_("You looked again: what do these words mean here?"),
            help_text=_("In your own words, for each of them. It stands on the purpose's page."),
        )
    page = {
        "title": _("Decide on this purpose"),
        "lead": _("You decide as data protection officer; your decision is in the log."),
        "happens": [
            _("People can be invited, and can say yes or no to the notice in force."),
            _("Photographs of those who say yes can be uploaded and analysed."),
            _("The purpose itself cannot be changed any more."),
        ],
        "button": _("Open the purpose"),
        "deciding": True,
    }
    return take_step(
        request,
        purpose,
        lambda: open_purpose(actor, reviewer, purpose.id, form.stated() if form else ""),
        done=_("The purpose is open."),
        page=page,
        form=form,
        review=True,
    )


@require_permission("consent.review_purpose")
@require_http_methods(["GET", "HEAD", "POST"])
def purpose_send_back(request: HttpRequest, purpose_id: UUID) -> HttpResponse:
    """The data protection officer gives a purpose back to be mended."""
    actor = actor_of(request)
    purpose = find_purpose(actor, purpose_id)
    reviewer = cast(User, request.user)
    form = StatementForm(
        request.POST or None,
        label=_("What has to be mended?"),
        help_text=_("Its authors read this on the purpose's page."),
    )
    page = {
        "title": _("Send it back"),
        "lead": _("The purpose becomes a draft again; its authors mend it and submit it anew."),
        "happens": [_("What was approved of it is void as soon as it is changed.")],
        "button": _("Send it back"),
    }
    return take_step(
        request,
        purpose,
        lambda: send_back(actor, reviewer, purpose.id, form.stated()),
        done=_("The purpose is back with its authors."),
        page=page,
        form=form,
    )


@require_permission("consent.close_purpose")
@require_http_methods(["GET", "HEAD", "POST"])
def purpose_close(request: HttpRequest, purpose_id: UUID) -> HttpResponse:
    """Close a purpose for good."""
    actor = actor_of(request)
    purpose = find_purpose(actor, purpose_id)
    form = CloseForm(request.POST or None, expected=purpose.name)
    page = {
        "title": _("Close this purpose"),
        "lead": _("A closed purpose cannot be opened again."),
        "happens": [
            _("From now on every upload and every analysis for it is refused."),
            _("Nobody can be invited or can consent any more."),
            _(
                "Results that exist stay readable, with a stated reason, until their own date or the "
                "end given below, whichever is first."
            ),
            _("On that day everything recorded for it is erased, and every consent to it ends."),
            _("People can still see, download and withdraw what is theirs."),
        ],
        "button": _("Close for good"),
        "danger": True,
    }
    return take_step(
        request,
        purpose,
        lambda: close_purpose(actor, purpose.id, form.days()),
        done=_("The purpose is closed."),
        page=page,
        form=form,
    )
