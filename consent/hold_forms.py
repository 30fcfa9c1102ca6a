"""The form of a legal hold: why, until when, over whom, and the name of the purpose."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from consent.forms import ConfirmForm
from consent.models import HoldReason


class HoldForm(ConfirmForm):
    """What a hold is placed for. There is no free text: it would name whom the matter is about."""

    reason = forms.ChoiceField(
        label=_("Why must it be kept?"), choices=HoldReason.choices, widget=forms.RadioSelect
    )
    until = forms.DateField(
        label=_("Until the end of which day?"),
        help_text=_("At most 366 days ahead. It ends by itself, and can be lifted earlier."),
        widget=forms.DateInput(attrs={"type": "date"}),
    )
    number = forms.UUIDField(
        label=_("Only for one person: their number in this installation"),
        required=False,
        help_text=_("It stands on the person's page and names nobody. Empty: everybody in it."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    field_order = ("reason", "until", "number", "name")

    def terms(self) -> dict[str, Any]:
        """What ``consent.holds.place_hold`` wants to know."""
        values = self.cleaned_data
        last = datetime.combine(values["until"], time(23, 59, 59))
        return {
            "reason": HoldReason(values["reason"]),
            "ends_at": timezone.make_aware(last),
            "subject_id": values["number"],
        }
