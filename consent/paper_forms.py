"""The form in which an operator enters a consent signed on paper. It parses; the flow decides."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as now
from django.utils.translation import gettext_lazy as _

from consent.errors import InvalidPaper
from consent.forms import CATEGORY_LABELS
from consent.models import Notice, Purpose
from consent.paper import SignedPaper
from consent.scans import read_scan


class NoticeField(forms.ModelChoiceField):  # type: ignore[type-arg]  # a type only in the stubs: Django cannot subscript it
    """One version of the purpose's notice in one language; also old ones, so that the flow can say why."""

    def label_from_instance(self, obj: Notice) -> str:
        """Its version and language."""
        return now("Version %(number)s, %(language)s") % {
            "number": obj.version,
            "language": obj.get_language_display(),
        }


class ScanField(forms.FileField):
    """A PDF, a JPEG or a PNG; its value is a checked ``consent.scans.Scan``."""

    def clean(self, data: Any, initial: Any = None) -> Any:
        """Read it; what it is, its bytes say."""
        file = super().clean(data, initial)
        if not isinstance(file, UploadedFile):
            return None
        try:
            return read_scan(file)
        except InvalidPaper as error:
            raise forms.ValidationError(str(error)) from None


class PaperForm(forms.Form):
    """What the paper says, box by box; nothing is ticked beforehand."""

    notice = NoticeField(
        label=_("Which notice the paper carries"),
        queryset=Notice.objects.none(),
        empty_label=_("Choose one"),
    )
    categories = forms.MultipleChoiceField(
        label=_("Boxes that are ticked on the paper"),
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Exactly those. A box that was left empty is a no."),
        error_messages={"invalid_choice": _("Tick only boxes that this purpose has.")},
    )
    signed_on = forms.DateField(
        label=_("Day of the signature"),
        help_text=_("The consent lasts from this day."),
        widget=forms.DateInput(attrs={"type": "date"}),
    )
    scan = ScanField(
        label=_("Scan of the signed paper"),
        help_text=_("PDF, JPEG or PNG, 2 MB at most. It is sealed, and opens for a reason only."),
    )
    attested = forms.BooleanField(
        error_messages={"required": _("Without your word that they signed, this is no consent.")},
    )

    def __init__(self, *args: Any, purpose: Purpose, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["attested"].label = now(
            "I saw this person sign, or have checked that they signed by themself, and they are %(age)s or "
            "older."
        ) % {"age": purpose.minimum_age}
        notice, categories = self.fields["notice"], self.fields["categories"]
        if isinstance(notice, forms.ModelChoiceField):
            notice.queryset = purpose.notices.order_by("-version", "language")
        if isinstance(categories, forms.MultipleChoiceField):
            categories.choices = [
                (value, CATEGORY_LABELS.get(value, value)) for value in purpose.categories
            ]

    def paper(self) -> SignedPaper:
        """What was signed."""
        values = self.cleaned_data
        return SignedPaper(
            values["notice"], values["categories"], values["signed_on"], values["scan"]
        )
