"""The public page of the packs: card, licence, measured error, and how far groups differ; from it an
administrator goes to the page that lets another one read expressions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from emotion.active_pack import chosen, installed
from emotion.inference.models import BUILT_IN, FOLDER, ModelIntegrityError, verify_pack
from emotion.inference.pack_reports import against_use, reports_of
from emotion.model_packs import card_of, pack_row
from emotion.set_words import EXPRESSIONS

FIGURES = {
    "accuracy": gettext_lazy("Right: the likeliest of the seven"),
    "balanced_accuracy": gettext_lazy("Right, each expression counted alike"),
    "calibration_error": gettext_lazy("How far probabilities are off (0 is best)"),
}
PARTS = {
    "Made for": gettext_lazy("Made for"),
    "Must not be used for": gettext_lazy("Must not be used for"),
    "How it works": gettext_lazy("How it works"),
    "Trained on": gettext_lazy("Trained on"),
    "Limits": gettext_lazy("Limits"),
}
"""The headings of a card that the page can translate; what stands under them stays its makers'."""


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Every pack that is here, the ones in use first; for anybody."""
    used = chosen()
    others = [path for path in sorted(FOLDER.glob("*")) if path.is_dir() and path != BUILT_IN]
    folders = [*installed(), *others]
    rows = [shown(folder, used) for folder in folders]
    if request.user.has_perm("emotion.choose_models"):
        for folder, row in zip(folders, rows, strict=True):
            row["against"] = [] if row["used"] else against(folder)
    rows.sort(key=lambda row: not row["used"])
    return render(request, "emotion/models.html", {"packs": rows})


def shown(folder: Path, used: str) -> dict[str, Any]:
    """One pack as the page shows it; ``problem`` when it is not as its manifest says."""
    row: dict[str, Any] = {
        "name": folder.name,
        "used": folder.name == used or (folder.parent == FOLDER and folder != BUILT_IN),
    }
    try:
        card = [(str(PARTS.get(heading, heading)), text) for heading, text in card_of(folder)]
        row |= {"pack": pack_row(folder), "card": card}
        row["reports"] = [report_row(report) for report in reports_of(folder)]
    except ModelIntegrityError as error:
        row["problem"] = str(error)
    return row


def against(folder: Path) -> list[str]:
    """What keeps a pack from being used, as far as its papers say."""
    try:
        verify_pack(folder)
        return against_use(folder)
    except ModelIntegrityError as error:
        return [str(error)]


def percent(figure: list[float]) -> str:
    """A share with its interval, in hundredths."""
    value, low, high = (number_format(round(number * 100, 1), decimal_pos=1) for number in figure)
    return _("%(value)s %% (%(low)s to %(high)s %%)") % {"value": value, "low": low, "high": high}


def report_row(report: dict[str, Any]) -> dict[str, Any]:
    """One evaluation in words: pairs of what and how much, and a table of each question about groups."""
    sets = report["sets"]
    recall = [
        (str(EXPRESSIONS[name]), percent(figure), percent(sets["coverage_of_class"][name]))
        for name, figure in report["recall"].items()
    ]
    groups = [
        {"question": question, "rows": [group_row(name, row) for name, row in answers.items()]}
        for question, answers in report["groups"].items()
    ]
    return report | {"figures": figures_of(report), "recall": recall, "groups": groups}


def figures_of(report: dict[str, Any]) -> list[tuple[str, str]]:
    """The main figures of an evaluation: what, and how much with its interval."""
    sets = report["sets"]
    figures = [(str(label), percent(report[name])) for name, label in FIGURES.items()]
    figures += [
        (_("Right on the surest %(share)s %%") % {"share": share}, percent(figure))
        for share, figure in report["selective_accuracy"].items()
    ]
    figures += [
        (_("The set holds the right one"), percent(sets["coverage"])),
        (_("Something is said"), percent(sets["named"])),
        (_("Right when something is said"), percent(sets["right_when_named"])),
    ]
    return figures


def group_row(name: str, measured: dict[str, Any]) -> dict[str, Any]:
    """One group: how many, how often right, and how far from all others."""
    compared = "gap" in measured
    return {
        "name": name,
        "faces": measured["faces"],
        "accuracy": percent(measured["accuracy"]) if compared else "",
        "balanced": percent(measured["balanced_accuracy"]) if compared else "",
        "gap": percent(measured["gap"]) if compared else "",
        "means": measured["means"],
    }
