"""The operators' button that lets somebody in again who is not asked any more."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from accounts.actors import actor_of
from accounts.permissions import require_permission
from consent.errors import ConsentError
from consent.links_back import send_link_back, show_link_back
from consent.messages import has_address
from consent.operator_views import UNPROCESSABLE
from consent.people_views import card, show_person
from consent.visibility import find_state


@require_permission("consent.invite_subject")
@require_POST
@never_cache
def link_back(request: HttpRequest, purpose_id: UUID, subject_id: UUID) -> HttpResponse:
    """A link back in: to the person's own address, or on a card where they gave none."""
    actor = actor_of(request)
    state = find_state(actor, purpose_id, subject_id)
    try:
        if not has_address(state.subject):
            token = show_link_back(actor, state.subject, state.purpose)
            return card(request, state.subject, state.purpose, token, back=True)
        send_link_back(actor, state.subject, state.purpose)
    except ConsentError as error:
        messages.error(request, str(error))
        return show_person(request, state, UNPROCESSABLE)
    messages.success(request, _("The link back in is in the outbox."))
    return redirect("operate_person", purpose_id, subject_id)
