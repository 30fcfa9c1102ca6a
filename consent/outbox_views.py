"""The outbox: messages that wait for a mail server, or to be handed over by an operator."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.actors import actor_of
from accounts.permissions import require_permission
from audit_log.paging import page_of
from consent.errors import ConsentError
from consent.forms import MESSAGE_REASONS, opening_form
from consent.models import OutboxMessage
from consent.operator_views import UNPROCESSABLE, refuse
from consent.outbox import OpenMessage, hand_over


@require_permission("consent.view_outbox")
@require_safe
def outbox(request: HttpRequest) -> HttpResponse:
    """What was sent and what waits; addresses and texts are sealed."""
    rows = OutboxMessage.objects.select_related("purpose").defer("sealed")
    shown = request.GET.get("show", "")
    if shown == "waiting":
        rows = rows.filter(sent_at=None)
    context = {
        "page": page_of(request, rows),
        "shown": shown,
        "mail_server": bool(settings.EMAIL_URL),
        "waiting": OutboxMessage.objects.filter(sent_at=None).count(),
    }
    return render(request, "operators/outbox.html", context)


@require_permission("consent.view_outbox")
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def message(request: HttpRequest, message_id: UUID) -> HttpResponse:
    """Open one message: the reason is asked first and is in the log before anything is shown."""
    found = get_object_or_404(OutboxMessage.objects.select_related("purpose"), pk=message_id)
    form, status = opening_form(request, MESSAGE_REASONS), 200
    opened: OpenMessage | None = None
    if form.is_bound:
        status = UNPROCESSABLE
        if form.is_valid() and found.sent_at is None:
            try:
                opened = hand_over(actor_of(request), found, form.stated())
                status = 200
            except ConsentError as error:
                status = refuse(form, error)
    context = {"message": found, "form": form, "opened": opened}
    return render(request, "operators/message.html", context, status=status)
