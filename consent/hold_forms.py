"""The form of a legal hold: why, until when, over whom, and the name of the purpose."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from consent.errors import InvalidHold
from consent.forms import ConfirmForm
from consent.holds import person_in
from consent.models import HoldReason, Purpose

ONE, EVERYBODY = "one", "everybody"


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
    whom = forms.ChoiceField(label=_("Over whom?"), widget=forms.RadioSelect)
    number = forms.CharField(
        label=_("The person's number"),
        required=False,
        max_length=36,
        help_text=_(
            "The eight characters that requests, breach records and lists show, or the whole number. It "
            "names nobody."
        ),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    field_order = ("reason", "until", "whom", "number", "name")

    def __init__(self, *args: Any, purpose: Purpose, people: int, **kwargs: Any) -> None:
        super().__init__(*args, expected=purpose.name, **kwargs)
        self.purpose = purpose
        everybody = ngettext(
            "Everybody in this purpose: %(number)d person",
            "Everybody in this purpose: %(number)d people",
            people,
        ) % {"number": people}
        field = self.fields["whom"]
        if isinstance(field, forms.ChoiceField):
            field.choices = [(ONE, _("One person, by their number")), (EVERYBODY, everybody)]

    def clean(self) -> dict[str, Any]:
        """One person is named by a number of this purpose; everybody by none."""
        values: dict[str, Any] = super().clean() or {}
        number = values.get("number", "")
        if values.get("whom") == EVERYBODY and number:
            self.add_error(
                "number", _("You chose everybody; leave the number empty, or choose one.")
            )
        if values.get("whom") == ONE:
            try:
                values["subject_id"] = person_in(self.purpose, number)
            except InvalidHold as unknown:
                self.add_error("number", str(unknown))
        return values

    def terms(self) -> dict[str, Any]:
        """What ``consent.holds.place_hold`` wants to know."""
        values = self.cleaned_data
        last = datetime.combine(values["until"], time(23, 59, 59))
        return {
            "reason": HoldReason(values["reason"]),
            "ends_at": timezone.make_aware(last),
            "subject_id": values.get("subject_id"),
        }
