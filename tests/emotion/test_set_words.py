"""What is said of an expression: for anybody first, the statistics below; every number from the pack."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.utils.translation import override

from emotion.set_words import caveat, set_exactly, set_findings


def stated(*held: str, right: float = 0.801, most: int = 2, **changes: Any) -> dict[str, Any]:
    """A part as a pack states it."""
    return {
        "set": list(held),
        "abstained": len(held) > most,
        "coverage": 0.9,
        "most_in_set": most,
        "named": [0.4675, 0.4513, 0.4839],
        "right_when_named": [right, right - 0.02, right + 0.02],
        "calibrated_on": "FER2013, validation part",
        "calibrated_at": "2026-11-29",
    } | changes


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (stated("happy"), "The program names one expression: happy. "),
        (
            stated("sad", "neutral"),
            "The program names 2 expressions, the likeliest first: sad, neutral. ",
        ),
        (
            stated("fear", "sad", "neutral", most=3),
            "The program names 3 expressions, the likeliest first: fearful, sad, neutral. ",
        ),
    ],
)
def test_what_is_named_is_said_for_anybody(part: dict[str, Any], words: str) -> None:
    (said,) = set_findings(part)
    assert said == (
        f"{words}On test photographs the first that it named was right in about 8 of 10; with other "
        "people and cameras it may be wrong more often."
    )


@pytest.mark.parametrize(
    ("right", "words"),
    [
        (0.66, "about 7 of 10"),
        (0.9449, "about 9 of 10"),
        (0.95, "more than 9 of 10"),
        (0.05, "about 1 of"),
    ],
)
def test_how_often_it_was_right_comes_from_the_pack_and_is_never_always(
    right: float, words: str
) -> None:
    assert words in set_findings(stated("happy", right=right))[0]


def test_too_many_are_told_as_not_to_be_told() -> None:
    (said,) = set_findings(stated("fear", "sad", "neutral"))
    assert said == (
        "The program cannot tell: 3 of the seven expressions fit, and to name one would be guessing."
    )
    exactly = set_exactly(stated("fear", "sad", "neutral"))
    assert "When more than 2 fit, nothing is said: that would be guessing." in exactly


@pytest.mark.parametrize(
    ("language", "day"),
    [("en", "Nov. 29, 2026"), ("de", "29. November 2026"), ("es", "29 de noviembre de 2026"),
     ("zh-hans", "2026年11月29日")],
)  # fmt: skip
def test_the_statistics_stand_below_with_their_data_and_day(language: str, day: str) -> None:
    with override(language):
        plain, exactly = set_findings(stated("happy")), set_exactly(stated("happy"))
        shown = caveat(stated("happy"))
    assert not [said for said in [*plain, shown] if re.search(r"%|FER2013 \(|2026", said)]
    assert "FER2013" in shown, "the data are named where the numbers are"
    for number in ("90", "80", "78", "82", "47"):
        assert any(number in said for said in exactly), number
    assert day in exactly[-1].replace("November 29, 2026", "Nov. 29, 2026")
    assert "FER2013" in exactly[-1]


def test_a_day_that_is_none_is_shown_as_the_pack_states_it() -> None:
    assert "last summer" in set_exactly(stated("happy", calibrated_at="last summer"))[-1]
