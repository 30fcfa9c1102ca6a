"""Pages on which tokens for auditors are made and taken back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.actors import actor_of
from accounts.auditors import create_token, revoke_token
from accounts.errors import AccountsError
from accounts.models import AuditorToken
from accounts.operator_views import UNPROCESSABLE
from accounts.permissions import require_permission
from audit_log.paging import page_of

LIVES = {
    7: gettext_lazy("7 days"),
    30: gettext_lazy("30 days"),
    90: gettext_lazy("90 days"),
    365: gettext_lazy("One year"),
}


class TokenForm(forms.Form):
    """A new token."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=120,
        help_text=gettext_lazy("Who gets it, so that you know it again in this list."),
    )
    days = forms.TypedChoiceField(
        label=gettext_lazy("The token is valid for"),
        choices=list(LIVES.items()),
        coerce=int,
        initial=30,
    )


@require_permission("accounts.manage_auditors")
@require_safe
def auditors(request: HttpRequest) -> HttpResponse:
    """Every token with its last use; the tokens themselves are shown nowhere."""
    page = page_of(request, AuditorToken.objects.all())
    return render(request, "operators/auditors.html", {"page": page})


@require_permission("accounts.manage_auditors")
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def auditor_new(request: HttpRequest) -> HttpResponse:
    """Make a token; it stands in this one answer and nowhere else."""
    form, status = TokenForm(request.POST or None), 200
    if request.method == "POST":
        status = UNPROCESSABLE
        if form.is_valid():
            values = form.cleaned_data
            ends = timezone.now() + timedelta(days=values["days"])
            try:
                token, text = create_token(actor_of(request), name=values["name"], expires_at=ends)
            except AccountsError as error:
                form.add_error(None, str(error))
            else:
                context: dict[str, Any] = {"token": token, "text": text}
                return render(request, "operators/auditor_token.html", context)
    context = {
        "form": form,
        "back_url": reverse("operate_auditors"),
        "back_label": _("Auditors"),
    }
    return render(request, "operators/auditor_new.html", context, status=status)


@require_permission("accounts.manage_auditors")
@require_http_methods(["GET", "HEAD", "POST"])
def auditor_revoke(request: HttpRequest, token_id: UUID) -> HttpResponse:
    """Take a token back; nothing depends on it but the next check, so one press is enough."""
    token = get_object_or_404(AuditorToken, pk=token_id)
    if request.method == "POST":
        revoke_token(actor_of(request), token.id)
        messages.success(request, _("The token of “%s” is no longer accepted.") % token.name)
        return redirect("operate_auditors")
    return render(request, "operators/auditor_revoke.html", {"token": token})
