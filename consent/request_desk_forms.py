"""The operators' forms about a person's request: more time, and the answer."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from consent.models import ExtensionReason, RefusalGround, RequestOutcome
from consent.request_answers import Answer
from consent.request_forms import LONGEST, NOT_LISTED, text_area

NO_GROUND = [("", _("It is not refused"))]


class ExtensionForm(forms.Form):
    """Why the answer takes longer; the person is told."""

    reason = forms.ChoiceField(
        label=_("Why does it take longer?"),
        choices=ExtensionReason.choices,
        widget=forms.RadioSelect,
        error_messages={"invalid_choice": NOT_LISTED},
    )

    def stated(self) -> ExtensionReason:
        """The reason as one of the closed list."""
        return ExtensionReason(self.cleaned_data["reason"])


class AnswerForm(forms.Form):
    """What came of a request, and what the person reads."""

    outcome = forms.ChoiceField(
        label=_("What came of it?"),
        choices=RequestOutcome.choices,
        widget=forms.RadioSelect,
        error_messages={"invalid_choice": NOT_LISTED},
    )
    ground = forms.ChoiceField(
        label=_("If it is refused: on which ground?"),
        choices=[*NO_GROUND, *RefusalGround.choices],
        required=False,
        error_messages={"invalid_choice": NOT_LISTED},
    )
    text = forms.CharField(
        label=_("Your answer"),
        max_length=LONGEST,
        help_text=_(
            "The person reads it on their own page. It is sealed; a message tells them that it is there. "
            "Under a refusal they also read how to complain to the authority."
        ),
        widget=text_area(8),
    )

    def clean(self) -> dict[str, Any]:
        """A refusal names its ground, and nothing else has one."""
        values: dict[str, Any] = super().clean() or {}
        outcome, ground = values.get("outcome"), values.get("ground")
        if outcome == RequestOutcome.REFUSED and not ground:
            self.add_error("ground", _("A refusal names its ground."))
        if outcome and outcome != RequestOutcome.REFUSED and ground:
            self.add_error("ground", _("Only a refusal has a ground."))
        return values

    def given(self) -> Answer:
        """What ``consent.request_answers.answer`` wants to know."""
        values = self.cleaned_data
        return Answer(
            RequestOutcome(values["outcome"]),
            values["text"],
            RefusalGround(values["ground"]) if values["ground"] else None,
        )
