"""Forms of the operators' pages. They parse; what is allowed, the flows decide."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from django import forms
from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.models import Role, User
from audit_log.actions import ReasonCode
from consent.models import DataCategory
from consent.purposes import ENDS_AFTER_AT_MOST, ENDS_AFTER_DAYS

REASON_LABELS = {
    ReasonCode.STUDY_ANALYSIS: _("To work on the study"),
    ReasonCode.QUALITY_CHECK: _("To check the quality of the recording"),
    ReasonCode.SUBJECT_REQUEST: _("The person asked for it"),
    ReasonCode.MISTYPED: _("The address was mistyped"),
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

REQUEST_REASONS = (
    ReasonCode.SUBJECT_REQUEST,
    ReasonCode.INCIDENT_INVESTIGATION,
    ReasonCode.LEGAL_OBLIGATION,
)


# The person is asked in the first person; whoever plans a study reads the same about somebody.
CATEGORY_LABELS = {
    DataCategory.MEDIA.value: _("Pictures of the face: photographs or films, see below"),
    DataCategory.EXPRESSION.value: _("Apparent expression"),
    DataCategory.BLENDSHAPES.value: _("Facial movements (blendshapes)"),
    DataCategory.HEAD_POSE.value: _("Posture of the head"),
    DataCategory.GAZE.value: _("Where the eyes point"),
    DataCategory.SMILE_MARKER.value: _("Cheeks and eyes in a smile"),
    DataCategory.BODY_MOTION.value: _("Movements of the body, in films"),
}


class InvitationForm(forms.Form):
    """Whom to ask. An address decides how: by letter, and without one on a card."""

    reference = forms.CharField(
        label=_("What the study calls this person"),
        max_length=80,
        help_text=_(
            "A participant number, not a name. It is sealed and shown only for a stated reason."
        ),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    email = forms.EmailField(
        label=_("Their e-mail address, if they have given one"),
        required=False,
        help_text=_(
            "Then the link goes there and is shown to nobody, and the person can sign in again by a code. "
            "Empty: you hand the link over from here, as a code to scan or a card to print."
        ),
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )


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


class OnceField(forms.UUIDField):
    """A value that a page makes for its form; each rendering has a new one, also of a form with errors."""

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Nothing of what came."""
        return initial


class OpeningForm(ReasonForm):
    """A stated reason that opens something once.

    Whoever loads the page again sends the form again; that must ask anew instead of opening what stands
    there, with another entry, for a reason that nobody gave.
    """

    once = OnceField(widget=forms.HiddenInput, required=False, initial=uuid4)

    def is_new(self) -> bool:
        """Whether this form has opened nothing yet; from now on it has."""
        once = self.cleaned_data["once"]
        return once is None or cache.add(f"opened-{once}", "", settings.SESSION_COOKIE_AGE)


def opening_form(request: HttpRequest, reasons: tuple[ReasonCode, ...]) -> OpeningForm:
    """The question why something is opened, with the answer; an empty one if it was used before."""
    if request.method != "POST":
        return OpeningForm(reasons=reasons)
    form = OpeningForm(request.POST, reasons=reasons)
    return form if not form.is_valid() or form.is_new() else OpeningForm(reasons=reasons)


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


class CloseForm(ConfirmForm):
    """How long a closed purpose keeps what it has, and its name."""

    keep_days = forms.IntegerField(
        label=_("For how many more days may it keep what it has?"),
        min_value=1,
        max_value=ENDS_AFTER_AT_MOST,
        initial=ENDS_AFTER_DAYS,
        required=False,
    )
    field_order = ("keep_days", "name")

    def days(self) -> int:
        """What was written, or what stood there beforehand."""
        return self.cleaned_data["keep_days"] or ENDS_AFTER_DAYS


class StatementForm(forms.Form):
    """A step for which somebody answers in their own words."""

    statement = forms.CharField(widget=forms.Textarea(attrs={"rows": 5}), max_length=4000)

    def __init__(self, *args: Any, label: str, help_text: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["statement"].label = label
        self.fields["statement"].help_text = help_text

    def stated(self) -> str:
        """What was written."""
        return str(self.cleaned_data["statement"])


class AssignForm(forms.Form):
    """Which researcher may work with a purpose."""

    researcher = forms.ModelChoiceField(
        label=_("Researcher"),
        queryset=User.objects.filter(role=Role.RESEARCHER, is_active=True).order_by("email"),
        empty_label=_("Choose one"),
    )
