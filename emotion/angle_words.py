"""Head, eyes and smile of a photograph in words. Left and right are the person's own."""

from __future__ import annotations

from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _

Facts = list[tuple[str, str]]

STRAIGHT = 3.0
"""Degrees that are called straight: about what the landmarks' noise makes of a still head."""
UNEVEN = 0.15
"""Asymmetry from which one corner of the mouth is said to be pulled further: a convention."""


def value_of(part: dict[str, Any], name: str) -> float:
    """One value of a part whose values describe themselves."""
    return float(part["values"][name]["value"])


def degrees(value: float, more: str, less: str) -> str:
    """An angle with its direction in words, without a sign."""
    if abs(value) < STRAIGHT:
        return _("straight")
    words = {"degrees": round(abs(value)), "direction": more if value > 0 else less}
    return _("%(degrees)s° %(direction)s") % words


def angle_facts(parts: dict[str, dict[str, Any]]) -> Facts:
    """Head pose and gaze: term and value."""
    found: Facts = []
    if "head-pose" in parts:
        head = parts["head-pose"]
        found += [
            (_("Head turned"), degrees(value_of(head, "yaw"), _("to the left"), _("to the right"))),
            (_("Head raised"), degrees(value_of(head, "pitch"), _("up"), _("down"))),
            (
                _("Head tilted"),
                degrees(
                    value_of(head, "roll"), _("to the right shoulder"), _("to the left shoulder")
                ),
            ),
            (
                _("Distance from the camera, rough"),
                _("%(number)s cm") % {"number": round(-value_of(head, "z") / 10) * 10},
            ),
        ]
    if "gaze" in parts:
        gaze = parts["gaze"]
        sideways = degrees(value_of(gaze, "yaw"), _("to the left"), _("to the right"))
        upwards = degrees(value_of(gaze, "pitch"), _("up"), _("down"))
        rough = _("may be off by 10° and more")
        found += [
            (_("Eyes within the head, sideways"), f"{sideways} ({rough})"),
            (_("Eyes within the head, up or down"), f"{upwards} ({rough})"),
        ]
    return found


def index_facts(part: dict[str, Any]) -> Facts:
    """The two indices with how they are made; none in readings from before there were any."""
    terms = {
        "valence_index": _("Valence index (-1 to 1)"),
        "activation_index": _("Activation index (0 to 1)"),
    }
    made = {
        "valence_index": _("the share of “happy” minus the largest of the negative ones"),
        "activation_index": _("one minus the share of “neutral”"),
    }
    return [
        (
            term,
            f"{number_format(round(part['indices'][name]['value'], 2), decimal_pos=2)} ({made[name]})",
        )
        for name, term in terms.items()
        if name in part.get("indices", {})
    ]


def uneven_smile(part: dict[str, Any]) -> list[str]:
    """Which corner of the mouth was pulled further, if one clearly was."""
    uneven = part.get("asymmetry", {}).get("values", {}).get("mouthSmile")
    if uneven is None or abs(uneven) < UNEVEN:
        return []
    if uneven > 0:
        return [_("The left corner of the mouth was pulled further than the right one.")]
    return [_("The right corner of the mouth was pulled further than the left one.")]


def smile_findings(parts: dict[str, dict[str, Any]]) -> list[str]:
    """What the marker of a smile says in one photograph: nothing, and why."""
    if "smile-marker" not in parts:
        return []
    return [
        _(
            "Whether cheeks and eyes rose together with the corners of the mouth cannot be told from one "
            "photograph: one would have to see the smile begin. It would prove no feeling."
        )
    ]
