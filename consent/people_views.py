"""Operators' pages about people in a purpose: opaque ids and states, invitations, one reference."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import qrcode
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from qrcode.image.svg import SvgPathFillImage

from accounts.actors import Actor, actor_of
from accounts.permissions import require_permission
from audit_log.paging import page_of
from consent.asking import events_of, letters_of, take_back
from consent.errors import ConsentError, InvalidPurpose
from consent.forms import CATEGORY_LABELS, IDENTITY_REASONS, InvitationForm, opening_form
from consent.holds import hold_over
from consent.invitations import VALID_FOR, create_invitation, invitation_url, send_invitation
from consent.links_back import DECLINED, may_be_asked, require_may_be_asked
from consent.messages import has_address, language_for
from consent.models import (
    ConsentEvent,
    ConsentState,
    ConsentStatus,
    DataSubject,
    Invitation,
    PaperConsent,
    Purpose,
    PurposeState,
    SubjectReference,
)
from consent.operator_views import UNPROCESSABLE, refuse
from consent.paper_views import takes_paper
from consent.subjects import read_reference, register_subject
from consent.visibility import find_purpose, find_state, visible_purposes, visible_states


@require_permission("consent.view_subjects")
@require_safe
def people(request: HttpRequest) -> HttpResponse:
    """People by consent state: opaque ids only."""
    actor = actor_of(request)
    rows = visible_states(actor).select_related("purpose")
    chosen = {"purpose": request.GET.get("purpose", ""), "status": request.GET.get("status", "")}
    listed = list(visible_purposes(actor).order_by("name").values_list("id", "name"))
    if chosen["purpose"] in {str(key) for key, _name in listed}:
        rows = rows.filter(purpose_id=chosen["purpose"])
    if chosen["status"] in ConsentStatus.values:
        rows = rows.filter(status=chosen["status"])
    open_ones = visible_purposes(actor).filter(state=PurposeState.OPEN).order_by("name")
    context = {
        "page": page_of(request, rows),
        "purposes": listed,
        "statuses": ConsentStatus.choices,
        "chosen": chosen,
        "open_purposes": open_ones,
    }
    return render(request, "operators/people.html", context)


@require_permission("consent.view_subjects")
@require_safe
def person(request: HttpRequest, purpose_id: UUID, subject_id: UUID) -> HttpResponse:
    """One person in one purpose: the history of their consent, and their open invitation."""
    state = find_state(actor_of(request), purpose_id, subject_id)
    return show_person(request, state)


def show_person(request: HttpRequest, state: ConsentState, status: int = 200) -> HttpResponse:
    """Render one person's states; nothing here says who they are."""
    events = ConsentEvent.objects.filter(subject=state.subject, purpose=state.purpose)
    invitation = (
        Invitation.objects.filter(subject=state.subject, purpose=state.purpose)
        .order_by("-created_at")
        .first()
    )
    context = {
        "state": state,
        "purpose": state.purpose,
        "api_id": SubjectReference.objects.filter(subject=state.subject, purpose=state.purpose)
        .values_list("id", flat=True)
        .first(),
        "categories": [CATEGORY_LABELS.get(value, value) for value in state.categories],
        "events": events.select_related("notice").order_by("-sequence")[:50],
        "invitation": invitation,
        "letters": letters_of(events_of(state)).sent,
        "paper": PaperConsent.objects.select_related("attested_by")
        .filter(subject=state.subject, event__purpose=state.purpose)
        .order_by("-event__sequence")
        .first(),
        "takes_paper": takes_paper(state),
        "hold": hold_over(state.subject_id, state.purpose_id),
        "has_address": has_address(state.subject),
        "may_be_asked": may_be_asked(state),
        "declined": state.status in DECLINED,
    }
    return render(request, "operators/person.html", context, status=status)


@require_permission("consent.invite_subject")
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def invite(request: HttpRequest, purpose_id: UUID) -> HttpResponse:
    """Ask somebody new: make the data subject, then a card to hand over or an e-mail."""
    actor = actor_of(request)
    purpose = find_purpose(actor, purpose_id)
    form, status = InvitationForm(request.POST or None), 200
    if request.method == "POST":
        status = UNPROCESSABLE
        if form.is_valid():
            try:
                return invite_new(request, actor, purpose, form)
            except ConsentError as error:
                status = refuse(form, error)
    context = {
        "form": form,
        "purpose": purpose,
        "days": VALID_FOR.days,
        "mail_server": bool(settings.EMAIL_URL),
        "back_url": reverse("operate_purpose", args=[purpose.id]),
        "back_label": purpose.name,
    }
    return render(request, "operators/invite.html", context, status=status)


def invite_new(
    request: HttpRequest, actor: Actor, purpose: Purpose, form: InvitationForm
) -> HttpResponse:
    """File the person, then send to an address that was given, else hand over; raises what flows refuse."""
    require_open(purpose)
    values = form.cleaned_data
    subject = register_subject(actor, purpose, reference=values["reference"], email=values["email"])
    if values["email"]:
        send_invitation(actor, subject, purpose)
        messages.success(request, _("The invitation is in the outbox."))
        return redirect("operate_person", purpose.id, subject.id)
    token = create_invitation(actor, subject, purpose, show_to_operator=True)
    return card(request, subject, purpose, token)


def require_open(purpose: Purpose) -> None:
    """Nobody is asked into a purpose in which they could not say yes."""
    if purpose.state != PurposeState.OPEN:
        raise InvalidPurpose(_("People can be invited only while the purpose is open."))


def card(
    request: HttpRequest,
    subject: DataSubject,
    purpose: Purpose,
    token: str,
    *,
    back: bool = False,
) -> HttpResponse:
    """Show a one-time link in the very answer that made it: it is kept nowhere in plain.

    ``back``: it asks nothing, but lets somebody in again.
    """
    url = invitation_url(token)
    context = {
        "purpose": purpose,
        "back": back,
        "subject_id": subject.id,
        "url": url,
        "qr": qr_svg(url),
        "expires_at": timezone.now() + VALID_FOR,
        "language": language_for(subject, purpose),
    }
    return render(request, "operators/invitation_card.html", context)


def qr_svg(url: str) -> str:
    """The address as a QR code: one SVG element, dark on white in every colour scheme."""
    code = qrcode.QRCode(border=2, image_factory=SvgPathFillImage)
    code.add_data(url)
    svg = code.make_image().to_string(encoding="unicode")
    # Made by the library from an address of our own alphabet; there is nothing to escape.
    return mark_safe(svg)  # noqa: S308


def pressed(
    request: HttpRequest, state: ConsentState, said: str, act: Callable[[], HttpResponse | None]
) -> HttpResponse:
    """What a button on somebody's page leads to: the page that ``act`` shows, or theirs with what was said.

    Of what stands in its way the person's page tells.
    """
    try:
        shown = act()
    except ConsentError as error:
        messages.error(request, str(error))
        return show_person(request, state, UNPROCESSABLE)
    if shown is not None:
        return shown
    messages.success(request, said)
    return redirect("operate_person", state.purpose_id, state.subject_id)


@require_permission("consent.invite_subject")
@require_POST
@never_cache
def take_question_back(request: HttpRequest, purpose_id: UUID, subject_id: UUID) -> HttpResponse:
    """Take the question back from somebody who has not answered; asking anew undoes it."""
    actor = actor_of(request)
    state = find_state(actor, purpose_id, subject_id)
    said = _("The question is taken back. The old link works no more.")
    return pressed(request, state, said, lambda: take_back(actor, state.subject, state.purpose))


@require_permission("consent.invite_subject")
@require_POST
@never_cache
def invite_again(request: HttpRequest, purpose_id: UUID, subject_id: UUID) -> HttpResponse:
    """A new invitation for somebody who has not answered, or whose consent ended by its date."""
    actor = actor_of(request)
    state = find_state(actor, purpose_id, subject_id)

    def invite() -> HttpResponse | None:
        require_open(state.purpose)
        require_may_be_asked(state)
        if has_address(state.subject):
            send_invitation(actor, state.subject, state.purpose, require_may_be_asked)
            return None
        token = create_invitation(
            actor, state.subject, state.purpose, require_may_be_asked, show_to_operator=True
        )
        return card(request, state.subject, state.purpose, token)

    return pressed(request, state, _("The invitation is in the outbox."), invite)


@require_permission("consent.read_identity")
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def identity(request: HttpRequest, purpose_id: UUID, subject_id: UUID) -> HttpResponse:
    """What the study calls a person: shown once, after the reason is in the log."""
    actor = actor_of(request)
    state = find_state(actor, purpose_id, subject_id)
    form, status, reference = opening_form(request, IDENTITY_REASONS), 200, ""
    if form.is_bound:
        status = UNPROCESSABLE
        if form.is_valid():
            try:
                reference = read_reference(actor, state.subject, state.purpose, form.stated())
                status = 200
            except ConsentError as error:
                status = refuse(form, error)
    context = {"state": state, "purpose": state.purpose, "form": form, "reference": reference}
    return render(request, "operators/identity.html", context, status=status)
