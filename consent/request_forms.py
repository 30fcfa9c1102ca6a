"""The form of a person's own request."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from consent.models import ConsentState, Purpose

NOT_LISTED = _("Choose one of those listed; another one came.")
LONGEST = 4000


def text_area(rows: int) -> forms.Textarea:
    """A field for free text that no browser keeps."""
    return forms.Textarea(attrs={"rows": rows, "autocomplete": "off"})


class OwnRequestForm(forms.Form):
    """What about, and in one's own words if one likes."""

    study = forms.ChoiceField(
        label=_("What is it about?"), required=False, error_messages={"invalid_choice": NOT_LISTED}
    )
    text = forms.CharField(
        label=_("In your own words"),
        required=False,
        max_length=LONGEST,
        help_text=_(
            "What you write is sealed. The staff who answer open it for a stated reason, and you see "
            "when they did."
        ),
        widget=text_area(6),
    )

    def __init__(self, *args: Any, states: list[ConsentState], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.purposes = {str(state.purpose_id): state.purpose for state in states}
        study = self.fields["study"]
        if isinstance(study, forms.ChoiceField):
            names = [(key, purpose.name) for key, purpose in self.purposes.items()]
            study.choices = [("", _("My account, or all studies")), *names]

    def purpose(self) -> Purpose | None:
        """The chosen study, or none for everything."""
        return self.purposes.get(self.cleaned_data["study"])
