"""The operators' button that lets somebody in again who is not asked any more."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from accounts.actors import actor_of
from accounts.permissions import require_permission
from consent.links_back import send_link_back, show_link_back
from consent.messages import has_address
from consent.people_views import card, pressed
from consent.visibility import find_state


@require_permission("consent.invite_subject")
@require_POST
@never_cache
def link_back(request: HttpRequest, purpose_id: UUID, subject_id: UUID) -> HttpResponse:
    """A link back in: to the person's own address, or on a card where they gave none."""
    actor = actor_of(request)
    state = find_state(actor, purpose_id, subject_id)

    def let_in() -> HttpResponse | None:
        if has_address(state.subject):
            send_link_back(actor, state.subject, state.purpose)
            return None
        token = show_link_back(actor, state.subject, state.purpose)
        return card(request, state.subject, state.purpose, token, back=True)

    return pressed(request, state, _("The link back in is in the outbox."), let_in)
