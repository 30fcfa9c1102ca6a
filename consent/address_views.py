"""Pages of a person's address: the staff file another one without seeing the old; its owner sees theirs."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from accounts.actors import actor_of
from accounts.permissions import require_permission
from audit_log.actions import ReasonCode
from consent.contacts import change_address, own_address, takes_codes
from consent.forms import ReasonForm
from consent.invitations import send_invitation
from consent.links_back import (
    may_be_asked,
    require_may_be_asked,
    require_not_declined,
    send_link_back,
)
from consent.operator_views import tried
from consent.views import own_subject
from consent.visibility import find_state

CHANGE_REASONS = (ReasonCode.MISTYPED, ReasonCode.SUBJECT_REQUEST)


class NewAddressForm(ReasonForm):
    """The right address, and why."""

    email = forms.EmailField(
        label=gettext_lazy("Their right e-mail address"),
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )
    field_order = ("email", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].label = _("Why do you change it?")


@require_permission("consent.invite_subject")
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def change(request: HttpRequest, purpose_id: UUID, subject_id: UUID) -> HttpResponse:
    """File another address for somebody who has not declined, and send a new link there."""
    actor = actor_of(request)
    state = find_state(actor, purpose_id, subject_id)
    form = NewAddressForm(request.POST or None, reasons=CHANGE_REASONS)

    def enter() -> None:
        email = form.cleaned_data["email"]
        person = change_address(
            actor, state.subject, state.purpose, email, form.stated(), require_not_declined
        )
        if may_be_asked(state):
            send_invitation(actor, person, state.purpose, require_may_be_asked)
        else:
            send_link_back(actor, person, state.purpose)

    if (status := tried(request, form, enter)) is None:
        messages.success(request, _("The address is changed. A new link waits to go there."))
        return redirect("operate_person", purpose_id, subject_id)
    context = {
        "form": form,
        "state": state,
        "purpose": state.purpose,
        "back_url": reverse("operate_person", args=[purpose_id, subject_id]),
        "back_label": _("Person"),
    }
    return render(request, "operators/address.html", context, status=status)


@require_permission("consent.view_own_consents")
@require_GET
@never_cache
def own(request: HttpRequest) -> HttpResponse:
    """To which address the signed-in person's letters and codes go, masked."""
    subject = own_subject(request)
    context = {
        "address": own_address(actor_of(request), subject),
        "codes": takes_codes(subject),
    }
    return render(request, "consent/address.html", context)
