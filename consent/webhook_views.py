"""The page of an API client's webhook: its address and secrets, and what the client was told."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.actors import actor_of
from accounts.models import ApiClient
from accounts.permissions import require_permission
from audit_log.paging import page_of
from consent.errors import InvalidWebhook
from consent.models import Telling, WebhookEndpoint
from consent.operator_views import UNPROCESSABLE, refuse
from consent.webhooks import (
    create_webhook,
    disable_webhook,
    live_webhook,
    rotate_secret,
    send_again,
)


class WebhookForm(forms.Form):
    """Where a client is told."""

    url = forms.CharField(
        label=gettext_lazy("Address"),
        max_length=500,
        widget=forms.URLInput(attrs={"autocomplete": "off", "placeholder": "https://"}),
        help_text=gettext_lazy(
            "Begins with https://. Opaque ids, kinds of events and times are sent there, no name."
        ),
    )


@require_permission("accounts.manage_clients")
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def webhook(request: HttpRequest, client_id: UUID) -> HttpResponse:
    """What a client is told, and the steps with its webhook; a secret stands in one answer only."""
    client = get_object_or_404(ApiClient, pk=client_id)
    live = live_webhook(client.id)
    if request.method == "POST":
        step = request.POST.get("step", "")
        if live is None and step == "create":
            return create(request, client)
        if step == "again":
            return again(request, client)
        if live is not None and step in {"rotate", "disable"}:
            return change(request, live, step)
    status = UNPROCESSABLE if request.method == "POST" else 200
    return show(request, client, WebhookForm(), status)


def show(request: HttpRequest, client: ApiClient, form: WebhookForm, status: int) -> HttpResponse:
    """The page itself."""
    tellings = Telling.objects.filter(client=client)
    context = {
        "client": client,
        "webhook": live_webhook(client.id),
        "form": form,
        "page": page_of(request, tellings),
    }
    return render(request, "operators/webhook.html", context, status=status)


def create(request: HttpRequest, client: ApiClient) -> HttpResponse:
    """Make the webhook and show its secret once."""
    form = WebhookForm(request.POST)
    if not form.is_valid():
        return show(request, client, form, UNPROCESSABLE)
    try:
        made, secret = create_webhook(actor_of(request), client, form.cleaned_data["url"])
    except InvalidWebhook as error:
        return show(request, client, form, refuse(form, error))
    return show_secret(request, made, secret)


def change(request: HttpRequest, live: WebhookEndpoint, step: str) -> HttpResponse:
    """A new secret, or no webhook any more."""
    try:
        if step == "rotate":
            return show_secret(request, live, rotate_secret(actor_of(request), live))
        disable_webhook(actor_of(request), live)
    except InvalidWebhook as error:  # a colleague was faster
        messages.error(request, str(error))
        return redirect("operate_webhook", live.client_id)
    messages.success(request, _("Nothing is sent there any more."))
    return redirect("operate_webhook", live.client_id)


def show_secret(request: HttpRequest, live: WebhookEndpoint, secret: str) -> HttpResponse:
    """The only answer in which a secret stands."""
    context: dict[str, Any] = {"client": live.client, "webhook": live, "secret": secret}
    return render(request, "operators/webhook_secret.html", context)


def again(request: HttpRequest, client: ApiClient) -> HttpResponse:
    """Send one thing once more."""
    try:
        wanted = UUID(request.POST.get("telling", ""))
    except ValueError:
        wanted = UUID(int=0)
    telling = get_object_or_404(Telling.objects.select_related("client"), pk=wanted, client=client)
    try:
        send_again(actor_of(request), telling)
    except InvalidWebhook as error:
        messages.error(request, str(error))
        return show(request, client, WebhookForm(), UNPROCESSABLE)
    messages.success(request, _("It is sent again, under the same id."))
    return redirect("operate_webhook", client.id)
