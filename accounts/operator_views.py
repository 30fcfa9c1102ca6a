"""Pages on which an administrator lets people work here, lets them in again, and shuts them out."""

from __future__ import annotations

import secrets
from typing import Any
from uuid import UUID

from allauth.mfa.models import Authenticator
from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.actors import actor_of
from accounts.errors import AccountsError
from accounts.models import Role, User
from accounts.operators import (
    create_operator,
    deactivate_operator,
    operators,
    reactivate_operator,
    reset_sign_in,
)
from accounts.permissions import require_permission
from audit_log.paging import page_of

UNPROCESSABLE = 422
ROLE_HELP = {
    Role.ADMINISTRATOR: gettext_lazy(
        "Purposes, people's requests, operators, API clients, the log"
    ),
    Role.RESEARCHER: gettext_lazy("Recordings and results of the purposes assigned to them"),
    Role.DPO: gettext_lazy("Opens purposes, checks the log, and never sees a result"),
}


class OperatorForm(forms.Form):
    """Somebody new who works here."""

    email = forms.EmailField(
        label=gettext_lazy("E-mail address"),
        help_text=gettext_lazy("They sign in with it. Nothing is sent to it now."),
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )
    role = forms.ChoiceField(
        label=gettext_lazy("Role"),
        widget=forms.RadioSelect,
        choices=[(r.value, format_lazy("{}: {}", r.label, text)) for r, text in ROLE_HELP.items()],
    )


class ConfirmAddressForm(forms.Form):
    """A step that shuts somebody out asks for their address."""

    address = forms.CharField(widget=forms.TextInput(attrs={"autocomplete": "off"}))

    def __init__(self, *args: Any, expected: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.expected = expected
        field = self.fields["address"]
        field.label = _("To confirm, type “%(name)s”") % {"name": expected}
        field.widget.attrs["data-confirm-name"] = expected

    def clean_address(self) -> str:
        """Exactly the address, apart from case and surrounding space."""
        typed = str(self.cleaned_data["address"]).strip()
        if typed.lower() != self.expected.lower():
            raise ValidationError(
                _("Expected “%(name)s”; got “%(typed)s”.") % {"name": self.expected, "typed": typed}
            )
        return typed


def listed() -> QuerySet[User]:
    """Operators, each with whether a second factor is set up."""
    factors = Authenticator.objects.filter(
        user=OuterRef("pk"), type__in=[Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]
    )
    return operators().annotate(second_factor=Exists(factors))


@require_permission("accounts.manage_operators")
@require_safe
def operator_list(request: HttpRequest) -> HttpResponse:
    """Everybody who works here."""
    return render(request, "operators/operators.html", {"page": page_of(request, listed())})


@require_permission("accounts.manage_operators")
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def operator_new(request: HttpRequest) -> HttpResponse:
    """Make an operator; the first password stands in this one answer and nowhere else."""
    form, status = OperatorForm(request.POST or None), 200
    if request.method == "POST":
        status = UNPROCESSABLE
        if form.is_valid():
            password = secrets.token_urlsafe(15)
            try:
                made = create_operator(
                    actor_of(request),
                    email=form.cleaned_data["email"],
                    role=Role(form.cleaned_data["role"]),
                    password=password,
                )
            except AccountsError as error:
                form.add_error(None, str(error))
            else:
                context: dict[str, Any] = {"operator": made, "password": password, "made": True}
                return render(request, "operators/operator_password.html", context)
    context = {
        "form": form,
        "back_url": reverse("operate_operators"),
        "back_label": _("Operators"),
    }
    return render(request, "operators/operator_new.html", context, status=status)


@require_permission("accounts.manage_operators")
@require_safe
def operator_detail(request: HttpRequest, operator_id: UUID) -> HttpResponse:
    """One operator, with what can be done."""
    return show_operator(request, find(operator_id))


def find(operator_id: UUID) -> User:
    """The operator; 404 when there is none."""
    found = listed().filter(pk=operator_id).first()
    if found is None:
        raise Http404
    return found


def show_operator(
    request: HttpRequest, user: User, form: forms.Form | None = None, step: str = ""
) -> HttpResponse:
    """Render one operator; each dangerous step has a form of its own."""
    context = {
        "operator": user,
        "deactivate_form": form if step == "deactivate" else blank("deactivate", user),
        "reset_form": form if step == "reset" else blank("reset", user),
        "is_me": user.pk == request.user.pk,
    }
    status = UNPROCESSABLE if form is not None else 200
    return render(request, "operators/operator.html", context, status=status)


def blank(step: str, user: User) -> ConfirmAddressForm:
    """An empty form; the step's name keeps the two forms' fields apart."""
    return ConfirmAddressForm(prefix=step, expected=user.email)


@require_permission("accounts.manage_operators")
@require_http_methods(["POST"])
@never_cache
def operator_step(request: HttpRequest, operator_id: UUID, step: str) -> HttpResponse:
    """Deactivate, let work again, or give a new password: "deactivate", "reactivate" or "reset"."""
    user, actor = find(operator_id), actor_of(request)
    if step == "reactivate":
        reactivate_operator(actor, user.id)
        messages.success(request, _("%s may sign in again.") % user.email)
        return redirect("operate_operator", user.id)
    form = ConfirmAddressForm(request.POST, prefix=step, expected=user.email)
    if not form.is_valid():
        return show_operator(request, user, form, step)
    try:
        if step == "reset":
            password = reset_sign_in(actor, user.id)
            context = {"operator": user, "password": password, "made": False}
            return render(request, "operators/operator_password.html", context)
        deactivate_operator(actor, user.id)
    except AccountsError as error:
        form.add_error(None, str(error))
        return show_operator(request, user, form, step)
    messages.success(request, _("%s cannot sign in any more.") % user.email)
    return redirect("operate_operators")
