"""Operators' pages of retention: what falls due, and shortening a purpose's periods."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_safe

from accounts.actors import actor_of
from accounts.permissions import require_permission
from consent.errors import ConsentError
from consent.forms import ConfirmForm
from consent.models import Purpose
from consent.operator_views import UNPROCESSABLE
from consent.visibility import find_purpose, visible_purposes
from emotion.forecast import WITHIN_DAYS, forecast
from emotion.periods import (
    Periods,
    check_periods,
    count_ending_earlier,
    periods_of,
    shorten_periods,
)


@require_permission("consent.view_retention")
@require_safe
def retention(request: HttpRequest) -> HttpResponse:
    """What falls due in the next days, per purpose: numbers, and nothing about one person."""
    context = {"rows": forecast(visible_purposes(actor_of(request))), "spans": WITHIN_DAYS}
    return render(request, "operators/retention.html", context)


class PeriodsForm(forms.Form):
    """The shorter periods."""

    media_days = forms.IntegerField(label=gettext_lazy("Keep photographs for (days)"), min_value=1)
    result_days = forms.IntegerField(label=gettext_lazy("Keep results for (days)"), min_value=1)

    def periods(self) -> Periods:
        """What was written."""
        return Periods(self.cleaned_data["media_days"], self.cleaned_data["result_days"])


class ShortenForm(ConfirmForm, PeriodsForm):
    """What was looked at, with the number that was shown, and the name of the purpose."""

    number = forms.IntegerField(widget=forms.HiddenInput, min_value=0)
    media_days = forms.IntegerField(widget=forms.HiddenInput, min_value=1)
    result_days = forms.IntegerField(widget=forms.HiddenInput, min_value=1)


@require_permission("consent.shorten_retention")
@require_http_methods(["GET", "HEAD", "POST"])
def periods(request: HttpRequest, purpose_id: UUID) -> HttpResponse:
    """First the shorter periods, then what exactly they change, then the name of the purpose."""
    purpose = find_purpose(actor_of(request), purpose_id)
    asked = PeriodsForm(
        request.POST or request.GET or None,
        initial={
            "media_days": purpose.media_retention_days,
            "result_days": purpose.result_retention_days,
        },
    )
    context = {"purpose": purpose, "form": asked, "old": periods_of(purpose)}
    if not asked.is_bound:
        return render(request, "operators/periods.html", context)
    if not asked.is_valid():
        return render(request, "operators/periods.html", context, status=UNPROCESSABLE)
    new, refusal = asked.periods(), ""
    try:
        check_periods(purpose, new)
    except ConsentError as error:
        # What they would change is not counted: they may be of any length.
        asked.add_error(None, str(error))
        return render(request, "operators/periods.html", context, status=UNPROCESSABLE)
    try:
        confirm = ShortenForm(request.POST or None, expected=purpose.name)
        if request.method == "POST" and confirm.is_valid():
            expected = confirm.cleaned_data["number"]
            number = shorten_periods(actor_of(request), purpose.id, new, expected)
            messages.success(request, done_words(number))
            return redirect("operate_purpose", purpose.id)
    except ConsentError as error:
        refusal = str(error)
        asked.add_error(None, refusal)
    return render_change(request, purpose, context, new, refusal)


def render_change(
    request: HttpRequest, purpose: Purpose, context: dict[str, Any], new: Periods, refusal: str
) -> HttpResponse:
    """Say exactly what the shorter periods would do; with the first form again when they are refused."""
    number = count_ending_earlier(purpose.id, new)
    shown = {"number": number, "media_days": new.media_days, "result_days": new.result_days}
    typed = request.POST.copy() if request.method == "POST" else None
    if typed is not None:
        typed["number"] = str(number)
    context |= {
        "new": new,
        "refusal": refusal,
        "change": change_words(number),
        "confirm": ShortenForm(typed, initial=shown, expected=purpose.name),
    }
    status = UNPROCESSABLE if refusal or request.method == "POST" else 200
    return render(request, "operators/periods.html", context, status=status)


def change_words(number: int) -> str:
    """How many recordings would end earlier."""
    return ngettext(
        "Exactly %(number)d recording ends earlier than its date says now.",
        "Exactly %(number)d recordings end earlier than their dates say now.",
        number,
    ) % {"number": number}


def done_words(number: int) -> str:
    """What was done."""
    return _("The periods are shorter.") + " " + change_words(number)
