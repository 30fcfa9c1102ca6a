"""A result in words first, then in numbers. Always what a face showed, never what somebody felt."""

from __future__ import annotations

from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from emotion.angle_words import angle_facts, index_facts, smile_findings, uneven_smile
from emotion.inference.quality import THRESHOLDS, Threshold
from emotion.movement_words import MOVEMENTS
from emotion.set_words import EXPRESSIONS, caveat, set_exactly, set_findings, set_headline

ABSTAINED = {
    "no-face": gettext_lazy("No face was found in the photograph."),
    "several-faces": gettext_lazy(
        "More than one face was found and none stands out. Other people did not agree, so nobody was "
        "analysed."
    ),
    "too-small": gettext_lazy("The face is too small in the photograph."),
    "too-dark": gettext_lazy("The photograph is too dark."),
    "too-bright": gettext_lazy("The photograph is overexposed."),
    "too-blurred": gettext_lazy("The photograph is too blurred."),
    "unclear": gettext_lazy("The face is covered, cut off or upside down."),
    "turned-away": gettext_lazy("The face is turned too far from the camera."),
    "covered": gettext_lazy(
        "Something seems to cover the mouth or an eye, such as a hand, a mask, hair or dark glasses."
    ),
    "moving": gettext_lazy("The face moves too fast to be seen clearly."),
    "person-unclear": gettext_lazy(
        "It cannot be told which face is the right one, so nobody was analysed."
    ),
    "person-lost": gettext_lazy(
        "From here on it cannot be told which face is the right one, so nobody was analysed."
    ),
}
QUALITY = {
    "face_size_px": gettext_lazy("Size of the face (pixels)"),
    "light": gettext_lazy("Light on the face (0 dark, 1 bright)"),
    "burnt_out": gettext_lazy("Overexposed part of the face (0 to 1)"),
    "sharpness": gettext_lazy("Sharpness of the face"),
    "certainty": gettext_lazy("Certainty that it is a face (0 to 1)"),
    "turn_degrees": gettext_lazy("Turned from the camera (degrees)"),
    "covered": gettext_lazy("Signs of a cover over mouth or eyes (0 none, 1 clear)"),
    "motion": gettext_lazy("Speed of the face (face widths per second)"),
}
SHOWN_MOVEMENTS = 8
Parts = dict[str, dict[str, Any]]


def together(share: str) -> str:
    """The sign stays on the line of its number (xgettext cannot read an escaped no-break space)."""
    return share.replace(" %", "\u00a0%")


def per_cent(value: float) -> str:
    """A share from 0 to 1 in words; never a bare 100 % or 0 %, which no model can know."""
    if value > 0.995:
        return together(_("over 99 %"))
    if value < 0.005:
        return together(_("under 1 %"))
    return shown_per_cent(value)


def shown_per_cent(value: float) -> str:
    """The same for a narrow column, held together by no-break spaces."""
    if value > 0.995:
        return ">\u00a099\u00a0%"
    if value < 0.005:
        return "<\u00a01\u00a0%"
    share = pgettext("a share, in per cent", "%(number)s %%") % {"number": round(value * 100)}
    return together(share)


def share_bar(label: str, value: float) -> dict[str, Any]:
    """One row of a bar list whose values are shares from 0 to 1."""
    return {"label": label, "value": shown_per_cent(value), "percent": round(value * 100)}


def movement_bar(name: str, value: float) -> dict[str, Any]:
    """One row of the movements: in words, with the model's own name and its value from 0 to 1."""
    label = MOVEMENTS.get(name, name)
    shown = number_format(round(value, 2), decimal_pos=2)  # by itself it would cut off
    return {"label": label, "name": name, "value": shown, "percent": round(value * 100)}


def in_words(parts: Parts) -> dict[str, Any]:
    """The context of a result page from the opened parts."""
    summary = parts.get("summary", {})
    status = str(summary.get("status", ""))
    context: dict[str, Any] = {
        "headline": _("What the face showed"),
        "findings": [],
        "abstained": ABSTAINED.get(status, ""),
        "expressions": [],
        "movements": [],
        "angles": [],
        "quality": quality_facts(summary),
        "models": measured_by(summary),
        "caveat": "",
        "exactly": [],
    }
    if "sharpness" in (summary.get("quality") or {}):
        context["exactly"].append(
            _("Sharpness is the variance of the Laplacian at 96 pixels and even contrast.")
        )
    if context["abstained"]:
        context["headline"] = _("This photograph was not analysed")
        return context
    if "expression" in parts:
        add_expression(context, parts["expression"])
    if "blendshapes" in parts:
        add_movements(context, parts["blendshapes"])
    context["angles"] = angle_facts(parts)
    context["findings"] += smile_findings(parts)
    return context


def add_expression(context: dict[str, Any], part: dict[str, Any]) -> None:
    """The seven classes, what is said of them, and how sure that is."""
    ranked = sorted(part["probabilities"].items(), key=lambda item: -item[1])
    context["expressions"] = [share_bar(str(EXPRESSIONS[name]), value) for name, value in ranked]
    context["indices"] = index_facts(part)
    context["headline"] = set_headline(part)
    context["findings"] += set_findings(part)
    context["caveat"] = caveat(part)
    context["exactly"] = [*set_exactly(part), *context["exactly"]]


def add_movements(context: dict[str, Any], part: dict[str, Any]) -> None:
    """The strongest facial movements."""
    moved = {name: value for name, value in part["values"].items() if name != "_neutral"}
    ranked = sorted(moved.items(), key=lambda item: -item[1])
    rows = [movement_bar(name, value) for name, value in ranked]
    context["movements"], context["all_movements"] = rows[:SHOWN_MOVEMENTS], rows
    smile = (moved.get("mouthSmileLeft", 0.0) + moved.get("mouthSmileRight", 0.0)) / 2
    if smile > 0.5:
        context["findings"].append(_("The corners of the mouth were pulled up, as in a smile."))
        context["findings"] += uneven_smile(part)


def quality_facts(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """What the photograph was like: term, and value with what was needed."""
    quality = summary.get("quality") or {}
    return [
        (str(label), measured(name, float(quality[name])))
        for name, label in QUALITY.items()
        if isinstance(quality.get(name), int | float)
    ]


def measured(name: str, value: float) -> str:
    """A quality figure with the limit beyond which the models abstain."""
    limit = THRESHOLDS[name]
    shown = figure_shown(value, limit)
    if limit.least > float("-inf"):
        needed = figure_shown(limit.least, limit)
        return _("%(value)s; needed: at least %(limit)s") % {"value": shown, "limit": needed}
    needed = figure_shown(limit.most, limit)
    return _("%(value)s; needed: at most %(limit)s") % {"value": shown, "limit": needed}


def figure_shown(value: float, limit: Threshold) -> str:
    """A figure rounded; with more digits where it would seem to meet a limit that it misses."""
    places = 0 if abs(value) >= 10 else 2
    while limit.met_by(round(value, places)) != limit.met_by(value):
        places += 1
    return number_format(round(value, places), decimal_pos=places)  # by itself it would cut off


def model_facts(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """Which packs and models measured, with their versions."""
    named = (summary.get("packs") or {}) | (summary.get("models") or {})
    return [(str(name), str(version)) for name, version in named.items()]


def measured_by(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """The same, and what computed them; that is no other model when it alone is another one."""
    return [*model_facts(summary), *(summary.get("engine") or {}).items()]
