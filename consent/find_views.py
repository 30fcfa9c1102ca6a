"""Finding somebody by what a study calls them: the reference is in no address, and looking is an entry."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.actors import actor_of
from accounts.permissions import require_permission
from consent.forms import IDENTITY_REASONS, ReasonForm
from consent.models import Purpose
from consent.operator_views import tried
from consent.subjects import look_up
from consent.visibility import visible_purposes


class FindForm(ReasonForm):
    """What the study calls the person, in which purpose, and why somebody looks."""

    purpose = forms.ModelChoiceField(
        label=gettext_lazy("Purpose"),
        queryset=Purpose.objects.none(),
        empty_label=gettext_lazy("Choose one"),
    )
    reference = forms.CharField(
        label=gettext_lazy("What the study calls this person"),
        max_length=120,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    field_order = ("purpose", "reference", "reason")

    def __init__(self, *args: Any, purposes: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["purpose"]
        if isinstance(field, forms.ModelChoiceField):
            field.queryset = purposes


@require_permission("consent.read_identity")
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def find(request: HttpRequest) -> HttpResponse:
    """Ask for a reference and a reason, and lead to the person's page."""
    actor = actor_of(request)
    purposes = visible_purposes(actor).order_by("name")
    form = FindForm(request.POST or None, reasons=IDENTITY_REASONS, purposes=purposes)
    found = []

    def look() -> None:
        values = form.cleaned_data
        found.append(look_up(actor, values["purpose"], values["reference"], form.stated()))

    if (status := tried(request, form, look)) is None:
        return redirect("operate_person", form.cleaned_data["purpose"].id, found[0].id)
    context = {
        "form": form,
        "heading": _("Find a person by reference"),
        "lead": _(
            "For whoever calls and gives their participant number. The person sees your role, the time "
            "and the reason; a number that nobody has is an entry too."
        ),
        "button": _("Find the person"),
        "back_url": reverse("operate_people"),
        "back_label": _("People"),
    }
    return render(request, "operators/form_page.html", context, status=status)
