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
from consent.errors import InvalidWebhook, ReplayedTooSoon
from consent.models import MANDATORY, Telling, TellingKind, WebhookEndpoint
from consent.notifications import kinds_open_to
from consent.operator_views import UNPROCESSABLE, refuse
from consent.webhooks import (
    change_kinds,
    create_webhook,
    disable_webhook,
    live_webhook,
    rotate_secret,
    send_again,
)


class KindsForm(forms.Form):
    """Of which news a client is told; what it must hear is no choice."""

    kinds = forms.MultipleChoiceField(
        label=gettext_lazy("It is told of"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy(
            "It always hears of withdrawals and of erasures. The scopes of its key decide what else there "
            "is to choose from."
        ),
    )

    def __init__(self, *args: Any, client: ApiClient, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        open_kinds = kinds_open_to(client.scopes) - MANDATORY
        kinds = self.fields["kinds"]
        if isinstance(kinds, forms.MultipleChoiceField):
            kinds.choices = [(each.value, each.label) for each in TellingKind if each in open_kinds]
        kinds.initial = sorted(open_kinds)


class WebhookForm(KindsForm):
    """Where a client is told, and of what."""

    field_order = ("url", "kinds")
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
        if live is not None and step in {"rotate", "disable", "kinds"}:
            return change(request, live, step)
    status = UNPROCESSABLE if request.method == "POST" else 200
    return show(request, client, status)


def show(
    request: HttpRequest, client: ApiClient, status: int, form: KindsForm | None = None
) -> HttpResponse:
    """The page itself; ``form`` is one that was refused."""
    tellings, live = Telling.objects.filter(client=client), live_webhook(client.id)
    if form is None and live is not None:
        form = KindsForm(initial={"kinds": live.kinds}, client=client)
    context = {
        "client": client,
        "webhook": live,
        "form": form or WebhookForm(client=client),
        "page": page_of(request, tellings),
    }
    return render(request, "operators/webhook.html", context, status=status)


def create(request: HttpRequest, client: ApiClient) -> HttpResponse:
    """Make the webhook and show its secret once."""
    form = WebhookForm(request.POST, client=client)
    if not form.is_valid():
        return show(request, client, UNPROCESSABLE, form)
    values = form.cleaned_data
    try:
        made, secret = create_webhook(actor_of(request), client, values["url"], values["kinds"])
    except InvalidWebhook as error:
        return show(request, client, refuse(form, error), form)
    return show_secret(request, made, secret)


def change(request: HttpRequest, live: WebhookEndpoint, step: str) -> HttpResponse:
    """Other news, a new secret, or no webhook any more."""
    form = KindsForm(request.POST, client=live.client)
    if step == "kinds" and not form.is_valid():
        return show(request, live.client, UNPROCESSABLE, form)
    try:
        if step == "kinds":
            change_kinds(actor_of(request), live, form.cleaned_data["kinds"])
            messages.success(request, _("From now on it is told of these."))
            return redirect("operate_webhook", live.client_id)
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
    except (InvalidWebhook, ReplayedTooSoon) as error:
        messages.error(request, str(error))
        return show(request, client, UNPROCESSABLE)
    messages.success(request, _("It is sent again, under the same id."))
    return redirect("operate_webhook", client.id)
