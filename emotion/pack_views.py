"""Letting another pack read expressions, from the page of models: see what would change, then do it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from accounts.actors import actor_of
from accounts.permissions import require_permission
from consent.forms import ConfirmForm
from consent.operator_views import UNPROCESSABLE
from emotion.active_pack import chosen, installed
from emotion.errors import PackRefused
from emotion.inference.models import ModelIntegrityError
from emotion.inference.pack_reports import reports_of
from emotion.models import Analysis, AnalysisState, MediaState, Recording
from emotion.models_page import against, figures_of
from emotion.pack_choice import activate


@require_permission("emotion.choose_models")
@require_http_methods(["GET", "HEAD", "POST"])
def use(request: HttpRequest, pack: str) -> HttpResponse:
    """GET says what would change; POST with the pack's name typed in lets it read expressions."""
    folders, used = {folder.name: folder for folder in installed()}, chosen()
    if pack not in folders:
        raise Http404
    if pack == used:
        messages.info(request, _("%(pack)s is in use already.") % {"pack": pack})
        return redirect("models")
    form, status = ConfirmForm(request.POST or None, expected=pack), 200
    if request.method == "POST":
        status = UNPROCESSABLE
        if form.is_valid():
            try:
                activate(actor_of(request), pack)
            except (PackRefused, ModelIntegrityError) as refused:
                form.add_error(None, str(refused))
            else:
                messages.success(
                    request, _("%(pack)s reads expressions from now on.") % {"pack": pack}
                )
                return redirect("models")
    context = {
        "name": pack,
        "used": used,
        "against": against(folders[pack]),
        "compared": compared(folders.get(used), folders[pack]),
        "happens": happens(pack, used),
        "form": form,
    }
    return render(request, "operators/model_use.html", context, status=status)


def happens(name: str, used: str) -> list[str]:
    """What will happen, in sentences that leave nothing out."""
    waiting = Analysis.objects.filter(state=AnalysisState.QUEUED).count()
    kept = Recording.objects.filter(media_state=MediaState.STORED).exclude(covered_at=None).count()
    words = {"name": name, "used": used}
    waits = ngettext(
        "%(number)s analysis waits, and is read by it.",
        "%(number)s analyses wait, and are read by it.",
        waiting,
    ) % {"number": waiting}
    again = ngettext(
        "%(number)s recording is kept and could be analysed again. Nothing is by itself: the "
        "researchers of its study find it in the list of recordings.",
        "%(number)s recordings are kept and could be analysed again. Nothing is by itself: the "
        "researchers of their studies find them in the list of recordings.",
        kept,
    ) % {"number": kept}
    return [
        _("From the next analysis on “%(name)s” reads expressions instead of “%(used)s”.") % words,
        *([waits] if waiting else []),
        _("What is being read at this moment ends with the models it began with."),
        _("Results that exist stay as they are, and name the models that gave them."),
        *([again] if kept else []),
        _(
            "It is an entry of the access log with your role; the public page of models says it at once."
        ),
    ]


def compared(used: Path | None, other: Path) -> list[dict[str, Any]]:
    """The evaluations of both packs by the data they were measured on: what, the used one's, the other's.

    ``alike``: whether both were measured on those data, so that their figures can be set beside each other.
    """
    ours, theirs = ({} if each is None else figures_by_data(each) for each in (used, other))
    found = []
    for data in dict.fromkeys([*theirs, *ours]):
        one, two = dict(ours.get(data, [])), dict(theirs.get(data, []))
        rows = [(what, one.get(what, ""), two.get(what, "")) for what in two or one]
        found.append({"data": data, "rows": rows, "alike": bool(one and two)})
    return found


def figures_by_data(folder: Path) -> dict[str, list[tuple[str, str]]]:
    """The figures of each evaluation of a pack, by what the data are; none of a pack that is damaged."""
    try:
        return {report["data"]: figures_of(report) for report in reports_of(folder)}
    except ModelIntegrityError:
        return {}
