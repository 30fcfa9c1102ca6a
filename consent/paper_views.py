"""Pages of consents on paper: an operator enters one; its scan opens for the person, and for a reason."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from accounts.actors import actor_of
from accounts.models import User
from accounts.permissions import require_permission
from audit_log.actions import ReasonCode
from consent.documents import takes_documents
from consent.errors import ConsentError
from consent.forms import IDENTITY_REASONS, ReasonForm
from consent.models import ConsentState, PaperConsent, PurposeState
from consent.operator_views import UNPROCESSABLE, refuse, tried
from consent.paper import MAY_BE_ATTESTED, attest_paper
from consent.paper_forms import PaperForm
from consent.scans import as_file, open_scan
from consent.views import own_subject
from consent.visibility import find_state


def takes_paper(state: ConsentState) -> bool:
    """Whether a consent on paper could be entered for this person now."""
    return (
        state.purpose.paper_allowed
        and state.purpose.state == PurposeState.OPEN
        and state.status in MAY_BE_ATTESTED
        and state.tags_ended_at is None
    )


@require_permission("consent.attest_paper")
@require_http_methods(["GET", "HEAD", "POST"])
@takes_documents
def paper(request: HttpRequest, purpose_id: UUID, subject_id: UUID) -> HttpResponse:
    """Enter what a person signed on paper, box by box, with the scan."""
    actor = actor_of(request)
    state = find_state(actor, purpose_id, subject_id)
    if not takes_paper(state):
        messages.error(request, _("No consent on paper can be entered for this person."))
        return redirect("operate_person", purpose_id, subject_id)
    sent = request.method == "POST"
    form = PaperForm(
        request.POST if sent else None, request.FILES if sent else None, purpose=state.purpose
    )

    def enter() -> None:
        attested = attest_paper(
            actor, cast(User, request.user), state.subject, state.purpose, form.paper()
        )
        messages.success(request, entered_words(told=attested.told))

    if (status := tried(request, form, enter)) is None:
        return redirect("operate_person", purpose_id, subject_id)
    context = {
        "form": form,
        "purpose": state.purpose,
        "state": state,
        "back_url": reverse("operate_person", args=[purpose_id, subject_id]),
        "back_label": _("Person"),
    }
    return render(request, "operators/paper.html", context, status=status)


def entered_words(*, told: bool) -> str:
    """What happens next, in words."""
    if told:
        return _(
            "The consent is entered, and the person is written to. Whoever was signed in as them is signed "
            "out, and their passkeys are gone."
        )
    return _(
        "The consent is entered. Whoever was signed in as the person is signed out, and their passkeys are "
        "gone. A colleague has to hand them a new link, so that they can look at it and "
        "withdraw: you may not see one."
    )


@require_permission("consent.read_identity")
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def scan(request: HttpRequest, purpose_id: UUID, subject_id: UUID) -> HttpResponse:
    """The newest scan of a person's signature: sent after the reason is in the log."""
    actor = actor_of(request)
    state = find_state(actor, purpose_id, subject_id)
    filed = (
        PaperConsent.objects.select_related("event")
        .filter(subject_id=subject_id, event__purpose_id=purpose_id)
        .order_by("-event__sequence")
        .first()
    )
    if filed is None:
        raise Http404
    form, status = ReasonForm(request.POST or None, reasons=IDENTITY_REASONS), 200
    if request.method == "POST":
        status = UNPROCESSABLE
        if form.is_valid():
            try:
                return as_file(open_scan(actor, filed, form.stated()))
            except ConsentError as error:
                status = refuse(form, error)
    context = {
        "form": form,
        "heading": _("Why do you open the signed paper?"),
        "lead": _("It shows a name and a signature. The person sees your role and this reason."),
        "button": _("Download the scan"),
        "back_url": reverse("operate_person", args=[purpose_id, state.subject_id]),
        "back_label": _("Person"),
    }
    return render(request, "operators/form_page.html", context, status=status)


@require_permission("consent.view_own_consents")
@require_GET
@never_cache
def own_scan(request: HttpRequest, event_id: UUID) -> HttpResponse:
    """The scan of what the signed-in person signed."""
    filed = (
        PaperConsent.objects.select_related("event")
        .filter(event_id=event_id, subject=own_subject(request))
        .first()
    )
    if filed is None:
        raise Http404
    return as_file(open_scan(actor_of(request), filed, ReasonCode.OWN_ACCESS))
