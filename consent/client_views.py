"""API clients: each bound to one purpose, so their pages stand in the room that knows purposes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.actors import Actor, actor_of
from accounts.clients import create_client
from accounts.errors import AccountsError
from accounts.models import ApiClient, Scope
from accounts.permissions import require_permission
from audit_log.paging import page_of
from consent.forms import ConfirmForm
from consent.models import Purpose, PurposeState, Telling
from consent.notifications import take_client_back
from consent.operator_views import UNPROCESSABLE
from consent.visibility import visible_purposes

LIVES = {
    30: gettext_lazy("30 days"),
    90: gettext_lazy("90 days"),
    365: gettext_lazy("One year"),
}


class ClientForm(forms.Form):
    """A new API client."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=120,
        help_text=gettext_lazy("Which program this is, so that you know it again in the log."),
    )
    purpose = forms.ModelChoiceField(
        label=gettext_lazy("Purpose"),
        queryset=Purpose.objects.none(),
        empty_label=gettext_lazy("Choose one"),
        help_text=gettext_lazy("The key opens this one purpose and no other."),
    )
    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("What it may do"),
        choices=Scope.choices,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy(
            "Consent can be given by the person alone, so it is not in this list."
        ),
    )
    days = forms.TypedChoiceField(
        label=gettext_lazy("The key is valid for"),
        choices=list(LIVES.items()),
        coerce=int,
        initial=90,
    )

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        purpose = self.fields["purpose"]
        if isinstance(purpose, forms.ModelChoiceField):
            purpose.queryset = (
                visible_purposes(actor).exclude(state=PurposeState.CLOSED).order_by("name")
            )


@require_permission("accounts.manage_clients")
@require_safe
def clients(request: HttpRequest) -> HttpResponse:
    """Every API client with its purpose, scopes and last use; keys are shown nowhere."""
    page = page_of(request, with_missing(ApiClient.objects.all()))
    names = dict(
        Purpose.objects.filter(pk__in=[c.purpose_id for c in page.rows]).values_list("id", "name")
    )
    rows = [
        {
            "client": client,
            "purpose": names.get(client.purpose_id, ""),
            "scopes": scope_labels(client),
        }
        for client in page.rows
    ]
    return render(request, "operators/clients.html", {"page": page, "rows": rows})


def with_missing(found: QuerySet[ApiClient]) -> QuerySet[ApiClient]:
    """These clients with how much could not be told to each, or was not confirmed in time."""
    missing = Telling.objects.missing().values("pk")
    return found.annotate(missing=Count("tellings", filter=Q(tellings__in=missing)))


def scope_labels(client: ApiClient) -> list[str]:
    """What a client may do, in words."""
    known = {str(value): str(label) for value, label in Scope.choices}
    return [known.get(scope, scope) for scope in client.scopes]


@require_permission("accounts.manage_clients")
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def client_new(request: HttpRequest) -> HttpResponse:
    """Make an API client; its key stands in this one answer and nowhere else."""
    actor = actor_of(request)
    form, status = ClientForm(request.POST or None, actor=actor), 200
    if request.method == "POST":
        status = UNPROCESSABLE
        if form.is_valid():
            values = form.cleaned_data
            try:
                client, key = create_client(
                    actor,
                    name=values["name"],
                    purpose_id=values["purpose"].id,
                    scopes=values["scopes"],
                    expires_at=timezone.now() + timedelta(days=values["days"]),
                )
            except AccountsError as error:
                form.add_error(None, str(error))
            else:
                context: dict[str, Any] = {
                    "client": client,
                    "key": key,
                    "ends": client.expires_at,
                    "purpose": values["purpose"],
                    "scopes": scope_labels(client),
                }
                return render(request, "operators/client_key.html", context)
    context = {
        "form": form,
        "back_url": reverse("operate_clients"),
        "back_label": _("API clients"),
    }
    return render(request, "operators/client_new.html", context, status=status)


@require_permission("accounts.manage_clients")
@require_http_methods(["GET", "HEAD", "POST"])
def client_revoke(request: HttpRequest, client_id: UUID) -> HttpResponse:
    """Take a client back; asks for its name, because what uses its keys stops at once."""
    client = get_object_or_404(ApiClient, pk=client_id)
    form, status = ConfirmForm(request.POST or None, expected=client.name), 200
    if request.method == "POST":
        status = UNPROCESSABLE
        if form.is_valid():
            take_client_back(actor_of(request), client.id)
            messages.success(request, _("“%s” is no longer let in.") % client.name)
            return redirect("operate_clients")
    return render(
        request, "operators/client_revoke.html", {"client": client, "form": form}, status=status
    )
