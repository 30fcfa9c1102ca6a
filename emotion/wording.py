"""A result in words first, then in numbers. Always what a face showed, never what somebody felt."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

EXPRESSIONS = {
    "angry": gettext_lazy("angry"),
    "disgust": gettext_lazy("disgusted"),
    "fear": gettext_lazy("fearful"),
    "happy": gettext_lazy("happy"),
    "sad": gettext_lazy("sad"),
    "surprise": gettext_lazy("surprised"),
    "neutral": gettext_lazy("neutral"),
}
ABSTAINED = {
    "no-face": gettext_lazy("No face was found in the photograph."),
    "several-faces": gettext_lazy(
        "More than one face was found. Other people did not agree, so nobody was analysed."
    ),
    "too-small": gettext_lazy("The face is too small in the photograph."),
    "too-dark": gettext_lazy("The photograph is too dark."),
    "too-bright": gettext_lazy("The photograph is overexposed."),
    "too-blurred": gettext_lazy("The photograph is too blurred."),
    "unclear": gettext_lazy("The face is covered, cut off or upside down."),
    "turned-away": gettext_lazy("The face is turned too far from the camera."),
}
SHOWN_MOVEMENTS = 8

Parts = dict[str, dict[str, Any]]


def bar(label: str, value: float) -> dict[str, Any]:
    """One row of a bar list: value from 0 to 1."""
    return {"label": label, "value": f"{value:.2f}", "percent": round(value * 100)}


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
        "quality": quality_facts(summary),
        "models": model_facts(summary),
    }
    if context["abstained"]:
        context["headline"] = _("This photograph was not analysed")
        return context
    if "expression" in parts:
        add_expression(context, parts["expression"])
    if "blendshapes" in parts:
        add_movements(context, parts["blendshapes"])
    return context


def add_expression(context: dict[str, Any], part: dict[str, Any]) -> None:
    """The seven classes, and the headline."""
    ranked = sorted(part["probabilities"].items(), key=lambda item: -item[1])
    context["expressions"] = [bar(str(EXPRESSIONS[name]), value) for name, value in ranked]
    name, value = ranked[0]
    words = {"expression": EXPRESSIONS[name], "percent": round(value * 100)}
    context["headline"] = _("The expression looked %(expression)s") % words
    context["findings"].append(
        _("Of seven expressions the models put %(percent)s %% on “%(expression)s”.") % words
    )


def add_movements(context: dict[str, Any], part: dict[str, Any]) -> None:
    """The strongest facial movements."""
    moved = {name: value for name, value in part["values"].items() if name != "_neutral"}
    ranked = sorted(moved.items(), key=lambda item: -item[1])
    rows = [bar(name, value) for name, value in ranked]
    context["movements"], context["all_movements"] = rows[:SHOWN_MOVEMENTS], rows
    smile = (moved.get("mouthSmileLeft", 0.0) + moved.get("mouthSmileRight", 0.0)) / 2
    if smile > 0.5:
        context["findings"].append(_("The corners of the mouth were pulled up, as in a smile."))


def quality_facts(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """What the photograph was like, as terms and descriptions."""
    labels = {
        "face_size_px": _("Size of the face (pixels)"),
        "light": _("Light on the face (0 dark, 1 bright)"),
        "burnt_out": _("Overexposed share of the face (0 to 1)"),
        "sharpness": _("Sharpness"),
        "certainty": _("Certainty that it is a face (0 to 1)"),
        "turn_degrees": _("Turned from the camera (degrees)"),
    }
    quality = summary.get("quality") or {}
    return [
        (label, f"{quality[name]:.3g}")
        for name, label in labels.items()
        if isinstance(quality.get(name), int | float)
    ]


def model_facts(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """Which models measured, with their versions."""
    models = summary.get("models") or {}
    return [(str(name), str(version)) for name, version in models.items()]
