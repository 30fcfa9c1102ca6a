"""The form of the next version of a privacy notice. It parses; what is allowed, the flow decides."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import get_language_info
from django.utils.translation import gettext_lazy as _

from consent.notices import Change, Texts

PARTS = ("title", "summary", "text")
LABELS: dict[str, tuple[Any, int]] = {
    "title": (_("Title"), 0),
    "summary": (_("In plain words"), 6),
    "text": (_("The full text"), 14),
    "change": (_("What has changed, for those who know the version before"), 3),
}
SUBSTANCE, WORDING = "substance", "wording"
# Nothing is chosen beforehand: whoever writes the version decides, and the log names them.
KINDS = [
    (SUBSTANCE, _("Of substance: people who said yes before are asked to read it and decide anew")),
    (WORDING, _("Wording only: it says the same, better; nobody is asked anything")),
]


class NoticeForm(forms.Form):
    """The next version of a privacy notice, in one or more languages.

    A language whose fields are all empty is left out; one that was begun must be finished.
    """

    def __init__(self, *args: Any, version: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.version = version
        self.codes = [code for code, _name in settings.LANGUAGES]
        self.parts = list(PARTS) if version == 1 else [*PARTS, "change"]
        if version > 1:
            self.fields["substance"] = forms.ChoiceField(
                label=_("What kind of change is this?"), choices=KINDS, widget=forms.RadioSelect
            )
        for number, code in enumerate(self.codes):
            language = get_language_info(code)["name_translated"]
            for part in self.parts:
                label, rows = LABELS[part]
                self.fields[f"{part}_{code}"] = forms.CharField(
                    label=_("%(part)s: %(language)s") % {"part": label, "language": language},
                    widget=forms.Textarea(attrs={"rows": rows}) if rows else forms.TextInput(),
                    required=number == 0,
                    max_length=200 if part == "title" else 40_000,
                )

    def clean(self) -> dict[str, Any]:
        """Complete languages only."""
        values: dict[str, Any] = super().clean() or {}
        for code in self.codes:
            names = [f"{part}_{code}" for part in self.parts]
            missing = [name for name in names if not values.get(name)]
            if 0 < len(missing) < len(names):
                for name in missing:
                    if name not in self.errors:
                        self.add_error(name, _("This language was begun: fill this in as well."))
        return values

    def texts(self) -> Texts:
        """Language code → (title, plain-language summary, full text)."""
        found = {}
        for code in self.codes:
            title, summary, text = (str(self.cleaned_data[f"{part}_{code}"]) for part in PARTS)
            if title:
                found[code] = (title, summary, text)
        return found

    def change(self) -> Change | None:
        """What the new version changes; None for the first one."""
        if self.version == 1:
            return None
        words = {code: str(self.cleaned_data[f"change_{code}"]) for code in self.codes}
        return Change(words, self.cleaned_data["substance"] == SUBSTANCE)
