"""How often a pack errs on labelled faces: figures with intervals, for all and for self-declared groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotion.inference.calibration import Wide
from emotion.inference.intervals import Figure, People, bootstrap, share_of

BINS = 15
COVERAGES = (50, 70, 90)
FEW, FEW_PEOPLE = 30, 10
"""A group with fewer faces, or people, is listed without a comparison: its interval would say nothing."""
NO_GROUPS = (
    "The data say nothing about groups of people: whether it errs more in one is not measured."
)
GROUPS_NOTE = (
    "Groups are what people said about themselves. A gap can also come from other expressions or pictures "
    "in a group: compare the balanced accuracy too. Of twenty intervals about one misses by chance."
)
BY_PERSON = "Intervals are by person: the faces of one of the {people} people count together."
BY_FACE = (
    "Intervals are made as if each face were another person's, because nobody said who is on which. With "
    "several faces of one person they are too narrow, and gaps that chance made are called differences."
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


def selective(probabilities: Wide, truth: Truth, people: People = None) -> dict[str, Figure]:
    """The accuracy on the surest 50, 70 and 90 % of the faces (El-Yaniv and Wiener 2010)."""
    surest = np.argsort(-probabilities.max(axis=1), kind="stable")
    right = (probabilities.argmax(axis=1) == truth)[surest]
    kept = {share: int(np.ceil(len(truth) * share / 100)) for share in COVERAGES}
    ordered = None if people is None else people[surest]
    return {str(share): share_of(right[:n], chosen(ordered, slice(n))) for share, n in kept.items()}


def chosen(people: People, rows: Any) -> People:
    """Who is on some of the rows."""
    return None if people is None else people[rows]


def of_sets(
    probabilities: Wide, truth: Truth, sets: Sets, most_in_set: int, people: People = None
) -> dict[str, Any]:
    """How the sets did: coverage, mean size, and what is said when larger ones are "cannot tell"."""
    sizes = sets.sum(axis=1)
    named = sizes <= most_in_set
    right = probabilities.argmax(axis=1) == truth
    return {
        "coverage": share_of(sets[np.arange(len(truth)), truth], people),
        "mean_size": float(sizes.mean()),
        "named": share_of(named, people),
        "right_when_named": share_of(right[named], chosen(people, named)),
    }


def figures(
    probabilities: Wide,
    truth: Truth,
    sets: Sets,
    most_in_set: int,
    labels: Sequence[str],
    people: People = None,
) -> dict[str, Any]:
    """All figures of one collection of faces.

    ``probabilities``: (n, classes), ``truth``: (n,) class numbers, ``sets``: (n, classes), ``people``: who
    is on each, (n,). Shares are 0 to 1, as [value, low, high]; a class that does not occur has no recall.
    """
    right = probabilities.argmax(axis=1) == truth
    covered = sets[np.arange(len(truth)), truth]
    # Each class is drawn for itself only where its faces are of people who are in no other one.
    strata = truth if people is None else np.zeros_like(truth)

    def of_class(hits: NDArray[np.bool_]) -> dict[str, Figure]:
        return {
            label: share_of(hits[truth == number], chosen(people, truth == number))
            for number, label in enumerate(labels)
            if (truth == number).any()
        }

    return {
        "faces": len(truth),
        "people": None if people is None else len(np.unique(people)),
        "accuracy": share_of(right, people),
        "balanced_accuracy": bootstrap(
            lambda rows: balanced(right[rows], truth[rows]), strata, people
        ),
        "recall": of_class(right),
        "calibration_error": bootstrap(
            lambda rows: calibration_error(probabilities[rows], truth[rows]), strata, people
        ),
        "selective_accuracy": selective(probabilities, truth, people),
        "sets": of_sets(probabilities, truth, sets, most_in_set, people)
        | {"coverage_of_class": of_class(covered)},
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
    people: People = None,
) -> dict[str, Any]:
    """The figures of each group, how far each is from all others, and what that means.

    ``groups``: what each person said about themselves, (n,); "" is nothing said.
    """
    right = probabilities.argmax(axis=1) == truth
    names = [name for name in np.unique(groups).tolist() if name]
    found: dict[str, Any] = {}
    for name in names:
        inside = groups == name
        others = (~inside) & (groups != "")
        counted = None if people is None else len(np.unique(people[inside]))
        measured: dict[str, Any] = {"faces": int(inside.sum()), "people": counted}
        if enough(inside, people) and enough(others, people):
            measured = figures(
                probabilities[inside],
                truth[inside],
                sets[inside],
                most_in_set,
                labels,
                chosen(people, inside),
            )
            measured["gap"] = gap(right, inside, groups != "", people)
        measured["means"] = meaning(name, measured)
        found[name] = measured
    return found


def enough(rows: NDArray[np.bool_], people: People) -> bool:
    """Whether some of the rows are enough to compare: faces, and people where they are known."""
    faces = int(rows.sum())
    return faces >= FEW and (people is None or len(np.unique(people[rows])) >= FEW_PEOPLE)


def gap(
    right: NDArray[np.bool_],
    inside: NDArray[np.bool_],
    declared: NDArray[np.bool_],
    people: People = None,
) -> Figure:
    """The accuracy in a group minus that in all other groups, -1 to 1, by bootstrap within both."""
    rows = np.flatnonzero(declared)
    member, hit = inside[rows], right[rows]

    def difference(drawn: NDArray[np.int64]) -> float:
        own = member[drawn]
        return float(hit[drawn][own].mean() - hit[drawn][~own].mean())

    return bootstrap(difference, member.astype(np.int64), chosen(people, rows))


def meaning(name: str, measured: dict[str, Any]) -> str:
    """What the gap of a group says, in a sentence."""
    if "gap" not in measured:
        seen, least = f"{measured['faces']} faces", f"{FEW}"
        if measured["people"] is not None:
            seen, least = f"{seen} of {measured['people']} people", f"{FEW} of {FEW_PEOPLE} people"
        return f"{name}: {seen} are too few to compare ({least} here and elsewhere)."
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
    people: NDArray[np.str_] | None = None,
) -> dict[str, Any]:
    """The whole report as plain values. ``groups``: by the question that people answered.

    ``people``: who is on each face, (n,), by any name; it is not told. Raises ValueError without faces or
    with arrays that do not fit.
    """
    if not len(truth) or probabilities.shape != sets.shape or len(truth) != len(sets):
        raise ValueError(f"{len(truth)} labels do not fit {probabilities.shape} probabilities")
    table = confusion(probabilities, truth, labels)
    who: People = None
    if people is not None:
        who = np.unique(people, return_inverse=True)[1].astype(np.int64)
    measured = figures(probabilities, truth, sets, most_in_set, labels, who)
    return {
        **measured,
        "intervals_note": BY_FACE if who is None else BY_PERSON.format(people=measured["people"]),
        "confusion": table,
        "suspicious": suspicious(table),
        "groups_note": GROUPS_NOTE if groups else NO_GROUPS,
        "groups": {
            question: by_group(probabilities, truth, sets, most_in_set, labels, answers, who)
            for question, answers in (groups or {}).items()
        },
    }
