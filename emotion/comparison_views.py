"""Pages that show several analyses of one photograph beside each other: an operator's, and the person's."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from accounts.actors import actor_of
from accounts.permissions import require_permission
from accounts.training import valid_of
from consent.errors import ConsentError
from consent.forms import ReasonForm
from consent.operator_views import UNPROCESSABLE
from emotion.comparison import MOST, Column, comparable, open_all, side_by_side
from emotion.errors import Gone, NoResult, NotReady
from emotion.models import Analysis, Recording
from emotion.operator_views import say_why_not
from emotion.results import STATED_REASONS, find_recording


class CompareForm(ReasonForm):
    """Which analyses, and the stated reason for opening them."""

    analyses = forms.MultipleChoiceField(
        label=gettext_lazy("Which analyses?"),
        widget=forms.CheckboxSelectMultiple,
        # Django's own sentence repeats what came.
        error_messages={
            "invalid_choice": gettext_lazy("Choose of the analyses listed; another one came.")
        },
    )
    field_order = ("analyses", "reason")

    def __init__(self, *args: Any, known: list[tuple[str, Analysis]], **kwargs: Any) -> None:
        super().__init__(*args, reasons=STATED_REASONS, **kwargs)
        self.known = known
        field = self.fields["analyses"]
        if isinstance(field, forms.MultipleChoiceField):
            field.choices = [(str(each.id), when(letter, each)) for letter, each in known]
        field.initial = [str(each.id) for _letter, each in known[-MOST:]]

    def clean_analyses(self) -> list[str]:
        """Two at least, or there is nothing to compare, and as many as have room."""
        came: list[str] = self.cleaned_data["analyses"]
        if not 2 <= len(came) <= MOST:
            words = {"most": MOST, "came": len(came)}
            raise forms.ValidationError(_("Tick two to %(most)s analyses; %(came)s came.") % words)
        return came

    def chosen(self) -> list[tuple[str, Analysis]]:
        """The ticked analyses with their letters, the oldest first."""
        came = self.cleaned_data["analyses"]
        return [(letter, each) for letter, each in self.known if str(each.id) in came]


def when(letter: str, analysis: Analysis) -> str:
    """An analysis by its letter and its time, for a choice."""
    at = localtime(analysis.finished_at or analysis.queued_at)
    return f"{letter}: {date_format(at, pgettext('date format', 'j F Y, H:i T'))}"


def about_page(recording: Recording, back: str) -> dict[str, Any]:
    """What each of these pages shows of the recording, and the way back to it."""
    return {
        "recording": recording,
        "back_url": reverse(back, args=[recording.id]),
        "back_label": _("Recording"),
    }


@require_permission("emotion.read_result")
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def compare(request: HttpRequest, recording_id: UUID) -> HttpResponse:
    """Ask which analyses and why; then open them for this one answer, each with its own entry."""
    actor = actor_of(request)
    recording = find_recording(actor, recording_id)
    known = comparable(recording)
    form, status = CompareForm(request.POST or None, known=known), 200
    about = about_page(recording, "operate_recording")
    if len(known) < 2:
        return render(request, "emotion/comparison_none.html", about)
    if request.method == "POST":
        status = UNPROCESSABLE
        if form.is_valid():
            try:
                columns = open_all(actor, form.chosen(), form.stated())
                return show_comparison(request, columns, about | {"own": False})
            except (ConsentError, NotReady, NoResult, Gone) as error:
                status = say_why_not(form, error)
    about |= {"form": form, "trained": valid_of(actor.id).exists()}
    return render(request, "emotion/comparison_reason.html", about, status=status)


@require_permission("emotion.read_own_result")
@require_GET
@never_cache
def compare_own(request: HttpRequest, recording_id: UUID) -> HttpResponse:
    """The newest analyses of one's own photograph beside each other."""
    actor = actor_of(request)
    recording: Recording = find_recording(actor, recording_id)
    known = comparable(recording)
    about = about_page(recording, "own_recording")
    if len(known) < 2:
        return render(request, "emotion/comparison_none.html", about)
    return show_comparison(request, open_all(actor, known[-MOST:]), about | {"own": True})


def show_comparison(
    request: HttpRequest, columns: list[Column], about: dict[str, Any]
) -> HttpResponse:
    """The opened analyses beside each other, with the entry of each."""
    return render(request, "emotion/comparison.html", side_by_side(columns) | about)
