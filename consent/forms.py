"""Forms of the operators' pages. They parse; what is allowed, the flows decide."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.text import format_lazy
from django.utils.translation import get_language_info
from django.utils.translation import gettext_lazy as _

from accounts.models import Role, User
from audit_log.actions import ReasonCode
from consent.models import DataCategory, Purpose, Sector, Use
from consent.screening import REFUSED_SECTORS, REFUSED_USES

REASON_LABELS = {
    ReasonCode.STUDY_ANALYSIS: _("To work on the study"),
    ReasonCode.QUALITY_CHECK: _("To check the quality of the recording"),
    ReasonCode.SUBJECT_REQUEST: _("The person asked for it"),
    ReasonCode.NOTIFY: _("To hand the message over to the person"),
    ReasonCode.INCIDENT_INVESTIGATION: _("To investigate an incident"),
    ReasonCode.LEGAL_OBLIGATION: _("A legal obligation"),
}
IDENTITY_REASONS = (
    ReasonCode.SUBJECT_REQUEST,
    ReasonCode.INCIDENT_INVESTIGATION,
    ReasonCode.LEGAL_OBLIGATION,
)
MESSAGE_REASONS = (
    ReasonCode.NOTIFY,
    ReasonCode.SUBJECT_REQUEST,
    ReasonCode.INCIDENT_INVESTIGATION,
)


# The person is asked in the first person; whoever plans a study reads the same about somebody.
CATEGORY_LABELS = {
    DataCategory.MEDIA.value: _("Photographs of the face"),
    DataCategory.EXPRESSION.value: _("Apparent expression"),
    DataCategory.BLENDSHAPES.value: _("Facial movements (blendshapes)"),
}

# What is refused by design stays visible: choosing it answers with the rule that forbids it.


def sector_choices() -> list[tuple[Any, Any]]:
    """The sectors in two groups."""
    return [
        ("", _("Choose one")),
        (_("Can be opened"), [c for c in Sector.choices if c[0] not in REFUSED_SECTORS]),
        (_("Refused by design"), [c for c in Sector.choices if c[0] in REFUSED_SECTORS]),
    ]


def use_choices() -> list[tuple[str, Any]]:
    """The uses, with the refused ones at the end and marked."""
    allowed = [choice for choice in Use.choices if choice[0] not in REFUSED_USES]
    refused = [
        (value, format_lazy("{} ({})", label, _("refused by design")))
        for value, label in Use.choices
        if value in REFUSED_USES
    ]
    return [*allowed, *refused]


class PurposeForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for mypy only
    """A new purpose, in draft."""

    sector = forms.ChoiceField(
        label=_("Where it belongs"),
        choices=sector_choices,
    )
    uses = forms.MultipleChoiceField(
        label=_("What the results are for"),
        choices=use_choices,
        widget=forms.CheckboxSelectMultiple,
    )
    categories = forms.MultipleChoiceField(
        label=_("What is collected and measured"),
        choices=list(CATEGORY_LABELS.items()),
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Each is consented to on its own. Choose as few as the study can do with."),
    )
    media_retention_days = forms.IntegerField(
        label=_("Keep photographs for at most (days)"),
        min_value=1,
        max_value=3650,
        help_text=_("Then they are erased, whatever happened to them before."),
    )
    result_retention_days = forms.IntegerField(
        label=_("Keep results for (days)"), min_value=1, max_value=3650
    )
    consent_validity_days = forms.IntegerField(
        label=_("A consent lasts (days)"), min_value=1, max_value=1825, initial=365
    )
    minimum_age = forms.IntegerField(
        label=_("Minimum age (years)"), min_value=14, max_value=120, initial=18
    )

    class Meta:
        model = Purpose
        fields = [
            "name",
            "description",
            "controller",
            "contact",
            "sector",
            "uses",
            "categories",
            "keep_media",
            "media_retention_days",
            "result_retention_days",
            "consent_validity_days",
            "minimum_age",
        ]
        labels = {
            "name": _("Name"),
            "description": _("What it is for"),
            "controller": _("Controller"),
            "contact": _("Contact"),
            "keep_media": _("Keep the photographs after the analysis"),
        }
        help_texts = {
            "name": _("The name that people see in their invitation."),
            "description": _("Two or three sentences that somebody outside the field understands."),
            "controller": _("The organisation that answers for the data."),
            "contact": _("Where people turn to: an address that somebody reads."),
            "keep_media": _(
                "Leave this off unless the study cannot do without: results are enough."
            ),
        }
        widgets = {"description": forms.Textarea(attrs={"rows": 4})}


class NoticeForm(forms.Form):
    """The next version of a privacy notice, in one or more languages.

    A language whose three fields are all empty is left out; one that was begun must be finished.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.codes = [code for code, _name in settings.LANGUAGES]
        for number, code in enumerate(self.codes):
            language = get_language_info(code)["name_translated"]
            parts = {
                "title": (_("Title"), forms.TextInput()),
                "summary": (_("In plain words"), forms.Textarea(attrs={"rows": 6})),
                "text": (_("The full text"), forms.Textarea(attrs={"rows": 14})),
            }
            for part, (label, widget) in parts.items():
                self.fields[f"{part}_{code}"] = forms.CharField(
                    label=_("%(part)s: %(language)s") % {"part": label, "language": language},
                    widget=widget,
                    required=number == 0,
                    max_length=200 if part == "title" else 40_000,
                )

    def clean(self) -> dict[str, Any]:
        """Complete languages only."""
        values: dict[str, Any] = super().clean() or {}
        for code in self.codes:
            names = [f"{part}_{code}" for part in ("title", "summary", "text")]
            missing = [name for name in names if not values.get(name)]
            if 0 < len(missing) < len(names):
                for name in missing:
                    if name not in self.errors:
                        self.add_error(name, _("This language was begun: fill this in as well."))
        return values

    def texts(self) -> dict[str, tuple[str, str, str]]:
        """Language code → (title, plain-language summary, full text)."""
        found = {}
        for code in self.codes:
            title, summary, text = (
                str(self.cleaned_data[f"{part}_{code}"]) for part in ("title", "summary", "text")
            )
            if title:
                found[code] = (title, summary, text)
        return found


class InvitationForm(forms.Form):
    """Whom to ask, and how the invitation reaches them."""

    SHOW, MAIL = "show", "mail"

    reference = forms.CharField(
        label=_("What the study calls this person"),
        max_length=80,
        help_text=_(
            "A participant number, not a name. It is sealed and shown only for a stated reason."
        ),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    delivery = forms.ChoiceField(
        label=_("How does the invitation reach them?"),
        choices=[
            (SHOW, _("I hand it over here: a link, a code to scan, a card to print")),
            (MAIL, _("By e-mail to their own address")),
        ],
        widget=forms.RadioSelect,
        initial=SHOW,
    )
    email = forms.EmailField(
        label=_("Their e-mail address"),
        required=False,
        help_text=_("Needed for the second way; it also lets them sign in again by a code."),
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )

    def clean(self) -> dict[str, Any]:
        """By e-mail needs an address."""
        values: dict[str, Any] = super().clean() or {}
        missing = not values.get("email") and "email" not in self.errors
        if values.get("delivery") == self.MAIL and missing:
            self.add_error("email", _("An invitation by e-mail needs an address."))
        return values


class ReasonForm(forms.Form):
    """The stated reason without which nothing about a person opens; it goes into the log."""

    reason = forms.ChoiceField(
        label=_("Why do you open it?"),
        widget=forms.RadioSelect,
        # Django's own sentence repeats what came.
        error_messages={"invalid_choice": _("Choose one of the reasons listed; another one came.")},
    )

    def __init__(self, *args: Any, reasons: tuple[ReasonCode, ...], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["reason"]
        if isinstance(field, forms.ChoiceField):
            field.choices = [(r.value, REASON_LABELS[r]) for r in reasons]

    def stated(self) -> ReasonCode:
        """The reason as a code of the closed list."""
        return ReasonCode(self.cleaned_data["reason"])


class ConfirmForm(forms.Form):
    """A step that cannot be taken back asks for the name of the thing."""

    name = forms.CharField(
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"})
    )

    def __init__(self, *args: Any, expected: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.expected = expected
        self.fields["name"].label = _("To confirm, type “%(name)s”") % {"name": expected}
        self.fields["name"].widget.attrs["data-confirm-name"] = expected

    def clean_name(self) -> str:
        """Exactly the name, apart from surrounding space."""
        typed = str(self.cleaned_data["name"]).strip()
        if typed != self.expected:
            raise ValidationError(
                _("Expected “%(name)s”; got “%(typed)s”.") % {"name": self.expected, "typed": typed}
            )
        return typed


class AssignForm(forms.Form):
    """Which researcher may work with a purpose."""

    researcher = forms.ModelChoiceField(
        label=_("Researcher"),
        queryset=User.objects.filter(role=Role.RESEARCHER, is_active=True).order_by("email"),
        empty_label=_("Choose one"),
    )
