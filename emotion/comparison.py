"""Several analyses of one photograph beside each other, in words first. None of them is taken for truer.

Each result is opened through the same door as ever, one entry each; nothing that was compared is kept.
A film's results are pages of their own, each as long as the film: they are not laid side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any

from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.actors import Actor
from emotion.models import Analysis, AnalysisState, Recording
from emotion.movement_words import MOVEMENTS
from emotion.results import OpenResult, read_result
from emotion.set_words import EXPRESSIONS, set_headline, words_of
from emotion.wording import (
    ABSTAINED,
    QUALITY,
    measured_by,
    model_facts,
    quality_facts,
    shown_per_cent,
)

MOST = 4
"""How many stand beside each other: more columns nobody reads."""
SHOWN_MOVEMENTS = 8
ALIKE = 0.01
"""Values that lie closer together are not told apart: the last digit that is shown."""


def lettered(recording: Recording) -> list[tuple[str, Analysis]]:
    """All analyses of a recording, the oldest first, each with its letter: the same on every page."""
    rows = recording.analyses.order_by("id")
    return [(letter_of(place), each) for place, each in enumerate(rows)]


def with_result(recording: Recording) -> list[tuple[str, Analysis]]:
    """Those that have a result."""
    return [(name, each) for name, each in lettered(recording) if each.state == AnalysisState.DONE]


def comparable(recording: Recording) -> list[tuple[str, Analysis]]:
    """Those that can be shown beside each other: of a film none, whose results are pages of their own."""
    return [] if recording.is_film else with_result(recording)


def letter_of(place: int) -> str:
    """A, B, C … by which an analysis is called; from the 27th on with a number."""
    turn, at = divmod(place, len(ascii_uppercase))
    return ascii_uppercase[at] + (str(turn + 1) if turn else "")


@dataclass(frozen=True)
class Column:
    """One opened analysis.

    Fields:
        as_it_came: whether it saw the photograph as it came, and not what is kept of it.
    """

    letter: str
    opened: OpenResult

    def __repr__(self) -> str:
        return f"Column({self.letter}, sealed)"

    @property
    def analysis(self) -> Analysis:
        """The row of it."""
        return self.opened.analysis

    @property
    def summary(self) -> dict[str, Any]:
        """Status, quality and models."""
        return self.opened.parts["summary"]

    @property
    def abstained(self) -> str:
        """Why nothing was measured, in a sentence; or nothing."""
        return str(ABSTAINED.get(str(self.summary["status"]), ""))

    @property
    def expression(self) -> dict[str, Any] | None:
        """The part of the expression; None where there is none, or the consent no longer covers it."""
        return self.opened.parts.get("expression")

    @property
    def movements(self) -> dict[str, float] | None:
        """The movements by name, 0 to 1."""
        part = self.opened.parts.get("blendshapes")
        return part["values"] if part else None

    @property
    def said(self) -> str:
        """What it came to, in words."""
        if self.abstained:
            return _("Not analysed")
        return set_headline(self.expression) if self.expression else _("No expression to show")

    @property
    def fits(self) -> str:
        """Which expressions fit, or why nothing is said."""
        return words_of(self.held) if self.expression else self.abstained

    @property
    def held(self) -> list[str]:
        """The names of those that fit, the likeliest first; none without an expression."""
        return self.expression["set"] if self.expression else []

    @property
    def as_it_came(self) -> bool:
        """The first analysis of a photograph makes what is kept of it; the later ones see only that."""
        covered, ended = self.analysis.recording.covered_at, self.analysis.finished_at
        return covered is None or (ended is not None and ended <= covered)


def open_all(
    actor: Actor, chosen: Iterable[tuple[str, Analysis]], stated: str = ""
) -> list[Column]:
    """Open the results one by one, each with its own entry. Raises like ``read_result``."""
    return [Column(letter, read_result(actor, each.id, stated)) for letter, each in chosen]


def side_by_side(columns: list[Column]) -> dict[str, Any]:
    """The context of the page: what differs in sentences, then the tables."""
    return {
        "columns": columns,
        "differences": differences(columns),
        "shares": share_rows(columns),
        "movements": movement_rows(columns),
        "quality": quality_rows(columns),
        "models": [(each.letter, measured_by(each.summary)) for each in columns],
    }


def differences(columns: list[Column]) -> list[str]:
    """What is the same and what is not, and what may be the cause; never which one is right."""
    found = [*abstentions(columns), said_in_words(columns)]
    found += largest(_("The shares"), EXPRESSIONS, shares(columns), shown_per_cent)
    found += largest(_("The movements"), MOVEMENTS, movements(columns), shown)
    return [*found, *causes(columns)]


def abstentions(columns: list[Column]) -> list[str]:
    """How many of them measured nothing, or could not tell which expression it was."""
    whole = len(columns)
    nothing = sum(bool(each.abstained) for each in columns)
    untold = sum(bool(each.expression and each.expression["abstained"]) for each in columns)
    found = []
    if nothing:
        words = ngettext(
            "%(part)s of %(whole)s analyses abstained: it measured nothing, and says why below.",
            "%(part)s of %(whole)s analyses abstained: they measured nothing, and say why below.",
            nothing,
        )
        found.append(words % {"part": nothing, "whole": whole})
    if untold:
        words = _("Of %(whole)s analyses, %(part)s cannot tell which expression it was.")
        found.append(words % {"part": untold, "whole": whole})
    return found


def said_in_words(columns: list[Column]) -> str:
    """Whether they say the same, and if so whether for the same reason."""
    if len({each.said for each in columns}) > 1:
        said = "; ".join(f"{each.letter}: {each.said}" for each in columns)
        return _("They do not say the same in words. %(said)s.") % {"said": said}
    words = {"said": columns[0].said}
    if len({each.abstained or frozenset(each.held) for each in columns}) == 1:
        return _("They all say the same in words: %(said)s.") % words
    if columns[0].abstained:
        words["why"] = " ".join(f"{each.letter}: {each.fits}" for each in columns)
        return _("They all say the same in words: %(said)s. They differ in why: %(why)s") % words
    words["fits"] = "; ".join(f"{each.letter}: {each.fits}" for each in columns)
    return (
        _("They all say the same in words: %(said)s. They differ in what fits: %(fits)s.") % words
    )


Values = list[tuple[str, dict[str, float]]]
"""Letters with values by name, of those that measured any."""
Write = Callable[[float], str]
"""How a value from 0 to 1 is written."""


def shares(columns: list[Column]) -> Values:
    """The shares of the expressions."""
    return [(each.letter, each.expression["probabilities"]) for each in columns if each.expression]


def movements(columns: list[Column]) -> Values:
    """The movements but the model's own "none of them"."""
    return [
        (each.letter, {name: value for name, value in each.movements.items() if name in MOVEMENTS})
        for each in columns
        if each.movements
    ]


def largest(what: str, labels: Mapping[str, object], values: Values, write: Write) -> list[str]:
    """Where they lie farthest apart; nothing where fewer than two measured it."""
    if len(values) < 2:
        return []
    apart = {name: spread(name, values) for name in values[0][1]}
    name = max(apart, key=lambda each: apart[each])
    if apart[name] < ALIKE:
        return [_("%(what)s hardly differ.") % {"what": what}]
    told = ", ".join(f"{letter} {write(each[name])}" for letter, each in values)
    words = {"what": what, "name": str(labels[name]), "told": told}
    return [_("%(what)s lie farthest apart at “%(name)s”: %(told)s.") % words]


def spread(name: str, values: Values) -> float:
    """The distance between the largest and the smallest of the values of this name."""
    here = [each[name] for _letter, each in values]
    return max(here) - min(here)


def shown(value: float) -> str:
    """A value from 0 to 1 with two digits behind the point."""
    return number_format(round(value, 2), decimal_pos=2)  # by itself it would cut off


def causes(columns: list[Column]) -> list[str]:
    """Whether other models or another picture may be why they differ."""
    models = {tuple(model_facts(each.summary)) for each in columns if not each.abstained}
    found = []
    if len(models) == 1:
        found.append(_("The same models measured each time."))
    elif models:
        found.append(_("Different models measured; they are listed below."))
    first = [each.letter for each in columns if each.as_it_came]
    later = [each.letter for each in columns if not each.as_it_came]
    if first and later:
        words = {"first": ", ".join(first), "later": ", ".join(later)}
        found.append(
            _(
                "They did not see the same picture. %(first)s saw the photograph as it came; %(later)s "
                "saw what is kept of it, where all but the head is a mosaic."
            )
            % words
        )
    return found


def share_rows(columns: list[Column]) -> list[dict[str, Any]]:
    """The seven expressions as rows, the largest first: a bar for each analysis, and how far apart."""
    values = shares(columns)
    if not values:
        return []
    ranked = sorted(EXPRESSIONS, key=lambda name: -sum(each[name] for _letter, each in values))
    return [row(name, EXPRESSIONS[name], columns, values, shown_per_cent) for name in ranked]


def movement_rows(columns: list[Column]) -> list[dict[str, Any]]:
    """The movements that were strongest in any of them."""
    values = movements(columns)
    if not values:
        return []
    names = values[0][1]
    ranked = sorted(names, key=lambda name: -max(each[name] for _letter, each in values))
    return [row(name, MOVEMENTS[name], columns, values, shown) for name in ranked[:SHOWN_MOVEMENTS]]


def row(
    name: str, label: Promise, columns: list[Column], values: Values, write: Write
) -> dict[str, Any]:
    """One row: a cell for each analysis, None where it did not measure this, and the spread."""
    measured = dict(values)
    cells = []
    for each in columns:
        here = measured.get(each.letter)
        bar = {"percent": round(here[name] * 100), "value": write(here[name])} if here else None
        cells.append((each.letter, bar))
    return {
        "label": label,
        "cells": cells,
        "apart": round(spread(name, values) * 100) if len(values) > 1 else None,
    }


def quality_rows(columns: list[Column]) -> list[dict[str, Any]]:
    """What the picture was like in each analysis: the figures by which the models abstain."""
    facts = [(each.letter, dict(quality_facts(each.summary))) for each in columns]
    labels = [str(label) for label in QUALITY.values()]
    return [
        {"label": label, "cells": [(letter, found.get(label, "")) for letter, found in facts]}
        for label in labels
        if any(label in found for _letter, found in facts)
    ]
