"""How often a pack errs on labelled faces: figures with intervals, for all and for self-declared groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotion.inference.calibration import Wide
from emotion.inference.intervals import Figure, bootstrap, wilson

BINS = 15
COVERAGES = (50, 70, 90)
FEW = 30
"""A group with fewer faces is listed without a comparison: its interval would say nothing."""
NO_GROUPS = (
    "The data say nothing about groups of people: whether it errs more in one is not measured."
)
GROUPS_NOTE = (
    "Groups are what people said about themselves. A gap can also come from other expressions or pictures "
    "in a group: compare the balanced accuracy too. Of twenty intervals about one misses by chance."
)

Truth = NDArray[np.int64]
Sets = NDArray[np.bool_]


def calibration_error(probabilities: Wide, truth: Truth) -> float:
    """Expected calibration error of the likeliest class in 15 bins of equal width (Guo et al. 2017)."""
    sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    off = np.bincount(bins, right - sure, minlength=BINS)
    return float(np.abs(off).sum() / len(truth))


def balanced(right: NDArray[np.bool_], truth: Truth) -> float:
    """The mean of the recalls of the classes that occur."""
    seen = np.unique(truth)
    return float(np.mean([right[truth == label].mean() for label in seen]))


def selective(probabilities: Wide, truth: Truth) -> dict[str, Figure]:
    """The accuracy on the surest 50, 70 and 90 % of the faces (El-Yaniv and Wiener 2010)."""
    surest = np.argsort(-probabilities.max(axis=1), kind="stable")
    right = (probabilities.argmax(axis=1) == truth)[surest]
    kept = {share: int(np.ceil(len(truth) * share / 100)) for share in COVERAGES}
    return {str(share): wilson(int(right[:n].sum()), n) for share, n in kept.items()}


def of_sets(probabilities: Wide, truth: Truth, sets: Sets, most_in_set: int) -> dict[str, Any]:
    """How the sets did: coverage, mean size, and what is said when larger ones are "cannot tell"."""
    sizes = sets.sum(axis=1)
    named = sizes <= most_in_set
    right = probabilities.argmax(axis=1) == truth
    return {
        "coverage": wilson(int(sets[np.arange(len(truth)), truth].sum()), len(truth)),
        "mean_size": float(sizes.mean()),
        "named": wilson(int(named.sum()), len(truth)),
        "right_when_named": wilson(int(right[named].sum()), int(named.sum())),
    }


def figures(
    probabilities: Wide, truth: Truth, sets: Sets, most_in_set: int, labels: Sequence[str]
) -> dict[str, Any]:
    """All figures of one collection of faces.

    ``probabilities``: (n, classes), ``truth``: (n,) class numbers, ``sets``: (n, classes). Shares are 0
    to 1, as [value, low, high]; a class that does not occur has no recall.
    """
    right = probabilities.argmax(axis=1) == truth
    recall = {
        label: wilson(int(right[truth == number].sum()), int((truth == number).sum()))
        for number, label in enumerate(labels)
        if (truth == number).any()
    }
    covered = sets[np.arange(len(truth)), truth]
    return {
        "faces": len(truth),
        "accuracy": wilson(int(right.sum()), len(truth)),
        "balanced_accuracy": bootstrap(lambda rows: balanced(right[rows], truth[rows]), truth),
        "recall": recall,
        "calibration_error": bootstrap(
            lambda rows: calibration_error(probabilities[rows], truth[rows]), truth
        ),
        "selective_accuracy": selective(probabilities, truth),
        "sets": of_sets(probabilities, truth, sets, most_in_set)
        | {
            "coverage_of_class": {
                label: wilson(int(covered[truth == number].sum()), int((truth == number).sum()))
                for number, label in enumerate(labels)
                if (truth == number).any()
            }
        },
    }


def confusion(
    probabilities: Wide, truth: Truth, labels: Sequence[str]
) -> dict[str, dict[str, int]]:
    """How many faces of each class were called what."""
    called = probabilities.argmax(axis=1)
    return {
        one: {
            other: int(((truth == row) & (called == column)).sum())
            for column, other in enumerate(labels)
        }
        for row, one in enumerate(labels)
    }


def suspicious(table: dict[str, dict[str, int]]) -> list[str]:
    """Pairs of classes that look swapped: each is called the other more often than itself."""
    return [
        f"{one} and {other} look swapped: each is called the other more often than itself"
        for one in table
        for other in table
        if one < other
        and table[one][other] > table[one][one]
        and table[other][one] > table[other][other]
    ]


def by_group(
    probabilities: Wide,
    truth: Truth,
    sets: Sets,
    most_in_set: int,
    labels: Sequence[str],
    groups: NDArray[np.str_],
) -> dict[str, Any]:
    """The figures of each group, how far each is from all others, and what that means.

    ``groups``: what each person said about themselves, (n,); "" is nothing said.
    """
    right = probabilities.argmax(axis=1) == truth
    names = [name for name in np.unique(groups).tolist() if name]
    found: dict[str, Any] = {}
    for name in names:
        inside = groups == name
        measured: dict[str, Any] = {"faces": int(inside.sum())}
        others = (~inside) & (groups != "")
        if min(inside.sum(), others.sum()) >= FEW:
            measured = figures(
                probabilities[inside], truth[inside], sets[inside], most_in_set, labels
            )
            measured["gap"] = gap(right, inside, groups != "")
        measured["means"] = meaning(name, measured)
        found[name] = measured
    return found


def gap(right: NDArray[np.bool_], inside: NDArray[np.bool_], declared: NDArray[np.bool_]) -> Figure:
    """The accuracy in a group minus that in all other groups, -1 to 1, by bootstrap within both."""
    rows = np.flatnonzero(declared)
    member, hit = inside[rows], right[rows]

    def difference(drawn: NDArray[np.int64]) -> float:
        own = member[drawn]
        return float(hit[drawn][own].mean() - hit[drawn][~own].mean())

    return bootstrap(difference, member.astype(np.int64))


def meaning(name: str, measured: dict[str, Any]) -> str:
    """What the gap of a group says, in a sentence."""
    if "gap" not in measured:
        return (
            f"{name}: {measured['faces']} faces are too few to compare ({FEW} here and elsewhere)."
        )
    value, low, high = (round(number * 100, 1) for number in measured["gap"])
    if low <= 0 <= high:
        return (
            f"{name}: no difference from all others that chance would not give (between {low} and {high} "
            "points); a smaller one than that may still be there."
        )
    side = "more" if value > 0 else "less"
    return (
        f"{name}: read right {side} often than all others, by {abs(value)} points (between {low} and "
        f"{high}). Do not compare this group with others by what this pack says."
    )


def report(
    probabilities: Wide,
    truth: Truth,
    sets: Sets,
    most_in_set: int,
    labels: Sequence[str],
    groups: dict[str, NDArray[np.str_]] | None = None,
) -> dict[str, Any]:
    """The whole report as plain values. ``groups``: by the question that people answered.

    Raises ValueError without faces or with arrays that do not fit.
    """
    if not len(truth) or probabilities.shape != sets.shape or len(truth) != len(sets):
        raise ValueError(f"{len(truth)} labels do not fit {probabilities.shape} probabilities")
    table = confusion(probabilities, truth, labels)
    return {
        **figures(probabilities, truth, sets, most_in_set, labels),
        "confusion": table,
        "suspicious": suspicious(table),
        "groups_note": GROUPS_NOTE if groups else NO_GROUPS,
        "groups": {
            question: by_group(probabilities, truth, sets, most_in_set, labels, answers)
            for question, answers in (groups or {}).items()
        },
    }
