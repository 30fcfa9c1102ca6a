"""The officer's forms of a breach record. They parse; what is possible, the flows decide."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import ApiClient, Role, User
from consent.breach_reach import Span
from consent.breach_texts import Words
from consent.breaches import Notification
from consent.clock_words import read_in
from consent.models import BreachKind, LateReason, NotNotified, NotTold, Purpose
from consent.request_forms import LONGEST, NOT_LISTED, text_area

NOT_LATE = [("", _("It was told in time"))]
IT_IS_TOLD = [("", _("It is told"))]
THEY_ARE_TOLD = [("", _("They are told"))]


def moment(label: Any, help_text: Any = "", **options: Any) -> forms.DateTimeField:
    """A field for a day and a time, in the installation's time zone, which ``say_zone`` names."""
    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
    return forms.DateTimeField(label=label, help_text=help_text, widget=widget, **options)


def say_zone(form: forms.Form, name: str) -> None:
    """Say at a field, besides what it says, in which zone its time is read and what time it is there."""
    field = form.fields[name]
    field.help_text = f"{field.help_text} {read_in()}".strip()


def words(label: Any, help_text: Any = "") -> forms.CharField:
    """A field for what is sealed."""
    return forms.CharField(
        label=label, help_text=help_text, max_length=LONGEST, widget=text_area(4)
    )


def actor_choices() -> list[tuple[str, Any]]:
    """Everybody whose account can have been misused, by the name that the log has for them."""
    people = User.objects.exclude(role=Role.SUBJECT).order_by("email")
    clients = ApiClient.objects.order_by("name")
    return [
        ("", _("Anybody")),
        *((f"operator:{user.pk}", user.email) for user in people),
        *((f"client:{client.pk}", client.name) for client in clients),
    ]


def actor_label(log_name: str) -> str:
    """The one of ``actor_choices`` that the log calls so, in words; the log's name once it is gone."""
    kind, _colon, key = log_name.partition(":")
    if kind == "operator":
        found = User.objects.filter(pk=key).values_list("email", flat=True).first()
    else:
        found = ApiClient.objects.filter(pk=key).values_list("name", flat=True).first()
    return found or log_name


class BreachForm(forms.Form):
    """When it was noticed, what it did, which entries of the log tell whom it concerns, and the words."""

    noticed_at = moment(_("When was it noticed?"), _("From then on the authority has 72 hours."))
    kinds = forms.MultipleChoiceField(
        label=_("What did it do?"),
        choices=BreachKind.choices,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"invalid_choice": NOT_LISTED},
    )
    begins_at = moment(_("Which reads of people's data are part of it? From"))
    ends_at = moment(_("Until"))
    purpose = forms.ModelChoiceField(
        label=_("In which purpose?"),
        queryset=Purpose.objects.order_by("name"),
        required=False,
        empty_label=_("In every one, and in people's accounts"),
        error_messages={"invalid_choice": NOT_LISTED},
    )
    actor = forms.ChoiceField(
        label=_("By whose account?"),
        required=False,
        error_messages={"invalid_choice": NOT_LISTED},
        help_text=_("When the account of an operator or an API client was misused."),
    )
    everybody = forms.BooleanField(
        label=_("Everybody who was ever asked, whoever was read"),
        required=False,
        help_text=_(
            "Who took a disk, a backup or the keys went around the program and left no entry."
        ),
    )
    happened = words(
        _("What happened?"), _("The facts, in words. Sealed; each time it is opened is an entry.")
    )
    effects = words(_("What can it mean for the people?"))
    measures = words(_("What was done, and what will be?"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("noticed_at", "begins_at"):
            say_zone(self, name)
        actor = self.fields["actor"]
        if isinstance(actor, forms.ChoiceField):
            actor.choices = actor_choices()

    def terms(self) -> dict[str, Any]:
        """What ``consent.breaches.record_breach`` wants to know."""
        values = self.cleaned_data
        purpose = values["purpose"]
        return {
            "noticed_at": values["noticed_at"],
            "kinds": [BreachKind(kind) for kind in values["kinds"]],
            "span": Span(
                values["begins_at"],
                values["ends_at"],
                purpose.id if purpose else None,
                values["actor"],
                values["everybody"],
            ),
            "words": Words(values["happened"], values["effects"], values["measures"]),
        }


class NotifyForm(forms.Form):
    """When the authority was told, or why it need not be."""

    ground = forms.ChoiceField(
        label=_("Need it be told?"),
        choices=[*IT_IS_TOLD, *NotNotified.choices],
        required=False,
        widget=forms.RadioSelect,
        initial="",
        error_messages={"invalid_choice": NOT_LISTED},
    )
    at = moment(_("When was it told?"), required=False)
    reference = forms.CharField(
        label=_("The authority's file number"),
        required=False,
        max_length=40,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    late = forms.ChoiceField(
        label=_("If after 72 hours: why?"),
        choices=[*NOT_LATE, *LateReason.choices],
        required=False,
        error_messages={"invalid_choice": NOT_LISTED},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        say_zone(self, "at")

    def given(self) -> Notification:
        """What ``consent.breaches.notify`` wants to know."""
        values = self.cleaned_data
        return Notification(
            at=values["at"],
            reference=values["reference"].strip(),
            late=LateReason(values["late"]) if values["late"] else None,
            ground=NotNotified(values["ground"]) if values["ground"] else None,
        )


class TellForm(forms.Form):
    """What people are told, or why they need not be."""

    ground = forms.ChoiceField(
        label=_("Need they be told one by one?"),
        choices=[*THEY_ARE_TOLD, *NotTold.choices],
        required=False,
        widget=forms.RadioSelect,
        initial="",
        error_messages={"invalid_choice": NOT_LISTED},
    )
    text = forms.CharField(
        label=_("What people read"),
        required=False,
        max_length=LONGEST,
        help_text=_(
            "In plain words: what happened, what it can mean for them, what was done, what they can do "
            "themselves, and whom they can ask. The same words go to everybody."
        ),
        widget=text_area(8),
    )

    def given(self) -> dict[str, Any]:
        """What ``consent.breaches.tell`` wants to know."""
        values = self.cleaned_data
        ground = values["ground"]
        return {"text": values["text"], "ground": NotTold(ground) if ground else None}
