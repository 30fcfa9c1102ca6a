"""Forms of a purpose, its organisations and its impact assessment. They parse; the flows decide."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.forms import BoundField
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from consent.documents import Upload, read_upload
from consent.errors import InvalidDocument
from consent.forms import CATEGORY_LABELS
from consent.models import (
    LEAST_AGE,
    ControllerKind,
    DataCategory,
    ExceptionReason,
    ImpactAssessment,
    Purpose,
    Sector,
    Use,
)
from consent.screening import REFUSED_SECTORS, REFUSED_USES

SECTIONS: list[tuple[Any, Any, list[str]]] = [
    (_("What"), _("In words that somebody outside the field understands: people read them."),
     ["name", "description", "necessity"]),
    (_("Who"), _("Whose faces, and where those people can turn."),
     ["people", "minimum_age", "guardian_allowed", "child_words", "paper_allowed",
      "officer_contact", "authority", "recipients"]),
    (_("Data"), _("As little as the study can do with."),
     ["categories", "takes", "sample_rate", "keep_media"]),
    (_("Keeping"), _("How long, and where."),
     ["media_retention_days", "result_retention_days", "consent_validity_days",
      "storage_location", "jurisdiction", "transfers"]),
    (_("Screening"), _("What no consent can allow is refused here; the attempt is written down."),
     ["sector", "uses", "exception"]),
]  # fmt: skip


def sector_choices() -> list[tuple[Any, Any]]:
    """The sectors in two groups. What is refused stays visible: choosing it answers with the rule."""
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


class CategoryField(forms.MultipleChoiceField):
    """Offers what is measured. Of what is not, the flow says so in its own words."""

    def valid_value(self, value: str) -> bool:
        """Whether it is a data category at all."""
        return value in DataCategory.values


class PurposeForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for mypy only
    """A purpose in draft, in sections."""

    sector = forms.ChoiceField(label=_("Where it belongs"), choices=sector_choices)
    uses = forms.MultipleChoiceField(
        label=_("What the results are for"),
        choices=use_choices,
        widget=forms.CheckboxSelectMultiple,
    )
    exception = forms.ChoiceField(
        label=_("A documented medical or safety reason"),
        choices=ExceptionReason.choices,
        required=False,
        help_text=_(
            "Only for workplace or education (AI Act Art. 5(1)(f)); never for recruitment. It needs a "
            "document and two people who did not write the purpose."
        ),
    )
    categories = CategoryField(
        label=_("What is collected and measured"),
        choices=list(CATEGORY_LABELS.items()),
        widget=forms.CheckboxSelectMultiple,
        help_text=_(
            "Each is consented to on its own. Movements of the body are seen only in films."
        ),
    )
    media_retention_days = forms.IntegerField(
        label=_("Keep photographs and films for at most (days)"),
        min_value=1,
        max_value=3650,
        help_text=_("Then they are erased, whatever happened to them before."),
    )
    result_retention_days = forms.IntegerField(
        label=_("Keep results for (days)"), min_value=1, max_value=3650
    )
    consent_validity_days = forms.IntegerField(
        label=_("A consent lasts (days)"),
        min_value=1,
        max_value=1825,
        initial=365,
        help_text=_("At its end everything of the person is erased, results too."),
    )
    minimum_age = forms.IntegerField(
        label=_("Minimum age (years)"),
        min_value=LEAST_AGE,
        max_value=120,
        initial=18,
        help_text=_("From this age people consent alone."),
    )

    class Meta:
        model = Purpose
        fields = [name for _title, _help, names in SECTIONS for name in names]
        labels = {
            "name": _("Name"),
            "description": _("What it is for"),
            "necessity": _("Why it takes faces"),
            "people": _("Whose faces"),
            "officer_contact": _("Data protection officer"),
            "authority": _("Supervisory authority"),
            "recipients": _("Who receives anything, one a line"),
            "takes": _("What people send"),
            "sample_rate": _("Moments of a film that are read (a second)"),
            "keep_media": _("Keep photographs and films"),
            "guardian_allowed": _("Younger people may take part with a parent or guardian"),
            "child_words": _("What happens, in words for a child"),
            "paper_allowed": _("People may also consent on paper"),
            "storage_location": _("Where data are stored"),
            "jurisdiction": _("Whose law holds"),
            "transfers": _("Sent to other countries"),
        }
        help_texts = {
            "name": _("The name that people see in their invitation."),
            "description": _("Two or three sentences."),
            "necessity": _("Why nothing less would do, for instance a questionnaire."),
            "people": _("For instance: adult volunteers who answered our call."),
            "officer_contact": _("An address that the officer reads."),
            "authority": _("To which people can complain: name and address."),
            "recipients": _("For instance: the researchers of this study. A name and a role each."),
            "takes": _("People are asked for just that, and nothing else is taken."),
            "sample_rate": _(
                "10 is enough for expressions and smiles; for blinks take 25 or more. 0 reads every "
                "picture, which takes as much longer. Fewer than 10 save less than it seems: ten times a "
                "second the person is followed anyway, so that nobody who walks by is taken for them."
            ),
            "keep_media": _(
                "Only the person's head is kept; all beside it, also other people, becomes a coarse mosaic "
                "in photographs and one colour in films, for good. Where it cannot be told whose head, "
                "nothing is kept. Of a film the moments that are read stay, without sound. Leave this off "
                "unless the study cannot do without: results are enough."
            ),
            "guardian_allowed": _(
                "From 7 years on. The guardian consents and the child says yes too, each for themself; "
                "without both nothing is recorded. The impact assessment has to say what that means."
            ),
            "child_words": _(
                "Two or three short sentences, only if children may take part. They are part of the notice."
            ),
            "paper_allowed": _(
                "An operator then attests that somebody signed and attaches a scan. Whoever attests never "
                "sees what is recorded of that person, and the consent is marked as paper for ever."
            ),
            "storage_location": _("For instance: the laboratory's own machines in Example City."),
            "jurisdiction": _("For instance: Germany (EU)."),
            "transfers": _("To which, and under which safeguard. Empty means: to none."),
        }
        widgets = {
            "description": forms.Textarea(attrs={"rows": 4}),
            "necessity": forms.Textarea(attrs={"rows": 3}),
            "recipients": forms.Textarea(attrs={"rows": 3}),
            "child_words": forms.Textarea(attrs={"rows": 3}),
        }

    def sections(self) -> Iterator[tuple[Any, Any, list[BoundField]]]:
        """(title, help, fields) of each section, for the page."""
        for title, words, names in SECTIONS:
            yield title, words, [self[name] for name in names]


class ControllerForm(forms.Form):
    """One organisation that takes part."""

    kind = forms.ChoiceField(
        label=_("Part"), choices=ControllerKind.choices, initial=ControllerKind.CONTROLLER
    )
    name = forms.CharField(label=_("Name"), max_length=200)
    address = forms.CharField(label=_("Address"), max_length=300)
    contact = forms.CharField(label=_("Contact"), max_length=200)


ControllerFormSet = forms.formset_factory(
    ControllerForm,
    extra=1,
    min_num=1,
    validate_min=True,
    max_num=6,
    validate_max=True,
    can_delete=True,
    can_delete_extra=False,
)


def parties_in(organisations: Any) -> list[dict[str, str]]:
    """What a valid ControllerFormSet holds, in order; rows that are empty or deleted are left out."""
    fields = ("kind", "name", "address", "contact")
    return [
        {name: str(form.cleaned_data[name]) for name in fields}
        for form in organisations
        if form not in organisations.deleted_forms and form.cleaned_data.get("name")
    ]


class DocumentField(forms.FileField):
    """A PDF or a plain text; its value is a checked ``consent.documents.Upload``, or None."""

    def clean(self, data: Any, initial: Any = None) -> Any:
        """Read it; what it is, its bytes say."""
        file = super().clean(data, initial)
        if not isinstance(file, UploadedFile):
            return None
        try:
            return read_upload(file)
        except InvalidDocument as error:
            raise forms.ValidationError(str(error)) from None


DOCUMENT_HELP = _("PDF or plain text, 2 MB at most, without anything about a single person.")


class AssessmentForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for mypy only
    """The next version of an impact assessment."""

    document = DocumentField(
        label=_("A document that says it"), required=False, help_text=DOCUMENT_HELP
    )

    class Meta:
        model = ImpactAssessment
        fields = ["necessity", "risks", "measures", "consultation", "residual_risk",
                  "prior_consultation"]  # fmt: skip
        labels = {
            "necessity": _("Necessity and proportionality"),
            "risks": _("Risks to the people"),
            "measures": _("Measures against them"),
            "consultation": _("Who was heard"),
            "residual_risk": _("What risk is left"),
            "prior_consultation": _("What the supervisory authority said"),
        }
        help_texts = {
            "necessity": _("Why this processing, why these data, and why nothing less would do."),
            "risks": _(
                "What could happen to somebody, how likely, how bad; also by a wrong result."
            ),
            "measures": _("What is done against each risk, and by whom."),
            "consultation": _("The data protection officer's advice; what people like them said."),
            "prior_consultation": _("Needed where a high risk is left (GDPR Art. 36)."),
        }
        widgets = {
            name: forms.Textarea(attrs={"rows": 5})
            for name in ("necessity", "risks", "measures", "consultation", "prior_consultation")
        }


class ReasonDocumentForm(forms.Form):
    """The document that shows a medical or safety reason."""

    document = DocumentField(label=_("The document"), help_text=DOCUMENT_HELP)

    def upload(self) -> Upload:
        """The checked document."""
        found: Upload = self.cleaned_data["document"]
        return found
