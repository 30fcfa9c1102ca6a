"""What may be asked about a group, as a closed list, and how one person's result answers it.

Each question sorts people into groups that do not overlap, and each person is counted in one of them. So
one person more or less changes one number by one: that is what the noise is measured for. Pure: what a
result says comes in, the name of a group goes out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from consent.models import DataCategory
from emotion.inference.labels import LABELS
from emotion.inference.smile_marker import CANNOT_TELL, DUCHENNE_LIKE, NOT
from emotion.models import CohortQuestion
from emotion.set_words import EXPRESSIONS

UNTOLD = "untold"
"""Where the result itself says that nothing can be told."""
BAND = 1 / 3
"""Where the valence index, from -1 to 1, is cut into three parts of one length."""

Text = str | Promise
Part = dict[str, Any]


@dataclass(frozen=True)
class Question:
    """category: the data category that it needs. groups: words by name, in the order of the page.

    group_of: which group what was measured of one person, in a photograph or a film, falls into.
    """

    category: DataCategory
    groups: dict[str, Text]
    group_of: Callable[[Part], str]


def measured(part: Part, name: str) -> float | None:
    """A film's figure; None where it could not be said, and in a photograph, which has none."""
    value = part.get("figures", {}).get(name, {}).get("value")
    return None if value is None else float(value)


def expression(part: Part) -> str:
    """The class that is told, in a film for longest, unless for longer none could be."""
    if "figures" not in part:
        return part["top"] or UNTOLD
    seconds = {label: measured(part, f"{label}_foremost") or 0.0 for label in LABELS}
    longest = max(LABELS, key=lambda label: seconds[label])
    least = measured(part, "untold") or 0.0
    return longest if seconds[longest] > 0 and seconds[longest] >= least else UNTOLD


def valence(part: Part) -> str:
    """Which third of its range the valence index lies in, in a film its mean."""
    if "figures" in part:
        value = measured(part, "valence_index_mean")
    else:
        value = None if part["abstained"] else float(part["indices"]["valence_index"]["value"])
    if value is None:
        return UNTOLD
    return "negative" if value < -BAND else "positive" if value > BAND else "between"


def smile(part: Part) -> str:
    """Whether the marker was there in any smile of a film; a photograph shows no onset."""
    smiles = measured(part, "smiles")
    if smiles is None:
        return UNTOLD
    if smiles == 0:
        return "none"
    verdicts = part["figures"]["markers"]["by_verdict"]
    if verdicts.get(DUCHENNE_LIKE):
        return DUCHENNE_LIKE
    # One that cannot be told might have been such a smile, so "only the others" would say too much.
    return UNTOLD if verdicts.get(CANNOT_TELL) else NOT


QUESTIONS: dict[CohortQuestion, Question] = {
    CohortQuestion.EXPRESSION: Question(
        DataCategory.EXPRESSION,
        {**EXPRESSIONS, UNTOLD: _("cannot be told")},
        expression,
    ),
    CohortQuestion.VALENCE: Question(
        DataCategory.EXPRESSION,
        {
            "negative": _("below -1/3"),
            "between": _("from -1/3 to 1/3"),
            "positive": _("above 1/3"),
            UNTOLD: _("cannot be told"),
        },
        valence,
    ),
    CohortQuestion.SMILE: Question(
        DataCategory.SMILE_MARKER,
        {
            DUCHENNE_LIKE: _("smiles in which cheeks and eyes rose, too"),
            NOT: _("only smiles in which they did not"),
            "none": _("no smile"),
            UNTOLD: _("cannot be told"),
        },
        smile,
    ),
}
