"""The page of one API client: its keys, from where it may come, and what can be done about both."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.actors import actor_of
from accounts.client_keys import AT_MOST, add_key, live_keys, revoke_key
from accounts.clients import change_networks
from accounts.errors import AccountsError
from accounts.models import ApiClient
from accounts.permissions import require_permission
from consent.client_views import scope_labels
from consent.forms import ConfirmForm
from consent.models import Purpose
from consent.operator_views import UNPROCESSABLE


class NetworksForm(forms.Form):
    """From where a client's keys are accepted."""

    networks = forms.CharField(
        label=gettext_lazy("Addresses and networks"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "autocomplete": "off"}),
        help_text=gettext_lazy(
            "One in a line, such as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32. Empty: from anywhere."
        ),
    )


@require_permission("accounts.manage_clients")
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def client_detail(request: HttpRequest, client_id: UUID) -> HttpResponse:
    """One client; a new key stands in one answer and nowhere else."""
    client = get_object_or_404(ApiClient, pk=client_id)
    step = request.POST.get("step", "")
    if request.method == "POST" and step == "key":
        return new_key(request, client)
    if request.method == "POST" and step == "networks":
        return new_networks(request, client)
    return show(request, client, None, UNPROCESSABLE if request.method == "POST" else 200)


def show(
    request: HttpRequest, client: ApiClient, form: NetworksForm | None, status: int
) -> HttpResponse:
    """The page itself."""
    live = list(live_keys(client.id)) if client.is_live else []
    ended = client.keys.exclude(pk__in=[key.pk for key in live]).order_by("-created_at")
    context = {
        "client": client,
        "purpose": Purpose.objects.get(pk=client.purpose_id),
        "scopes": scope_labels(client),
        "keys": live,
        "ended": ended[:10],
        "may_add": client.is_live and len(live) < AT_MOST,
        "form": form or NetworksForm({"networks": "\n".join(client.networks)}),
    }
    return render(request, "operators/client.html", context, status=status)


def new_key(request: HttpRequest, client: ApiClient) -> HttpResponse:
    """Make a second key and show it once."""
    try:
        made, text = add_key(actor_of(request), client.id)
    except AccountsError as error:  # a colleague, or the program itself, was faster
        messages.error(request, str(error))
        return show(request, client, None, UNPROCESSABLE)
    context: dict[str, Any] = {
        "client": client,
        "key": text,
        "ends": made.expires_at,
        "purpose": Purpose.objects.get(pk=client.purpose_id),
        "scopes": scope_labels(client),
    }
    return render(request, "operators/client_key.html", context)


def new_networks(request: HttpRequest, client: ApiClient) -> HttpResponse:
    """Say from where the client may come."""
    form = NetworksForm(request.POST)
    if not form.is_valid():
        return show(request, client, form, UNPROCESSABLE)
    try:
        change_networks(actor_of(request), client.id, form.cleaned_data["networks"].splitlines())
    except AccountsError as error:
        form.add_error("networks", str(error))
        return show(request, client, form, UNPROCESSABLE)
    messages.success(request, _("It is valid from the next request on."))
    return redirect("operate_client", client.id)


@require_permission("accounts.manage_clients")
@require_http_methods(["GET", "HEAD", "POST"])
def client_key_revoke(request: HttpRequest, client_id: UUID, prefix: str) -> HttpResponse:
    """Take one key back; asks for its prefix, because what uses the key stops at once."""
    client = get_object_or_404(ApiClient, pk=client_id)
    key = live_keys(client.id).filter(prefix=prefix).first()
    if key is None:
        raise Http404
    form, status = ConfirmForm(request.POST or None, expected=key.prefix), 200
    if request.method == "POST":
        status = UNPROCESSABLE
        if form.is_valid():
            revoke_key(actor_of(request), client.id, key.prefix)
            messages.success(request, _("The key “%s” is no longer accepted.") % key.prefix)
            return redirect("operate_client", client.id)
    context = {"client": client, "key": key, "form": form}
    return render(request, "operators/client_key_revoke.html", context, status=status)
