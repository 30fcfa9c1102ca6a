"""The strips of a film's page and the table beside them: what was read is drawn, what was not is a gap."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from emotion.film_charts import COLUMNS, Strip, mark_rows, strips, table_rows
from emotion.inference.expressions import expression_pack
from emotion.inference.film_results import told_of
from tests.emotion.inference.acted import film, happy_or_even, sampled, summary, table, with_hole


def drawn(strip: Strip) -> set[int]:
    """The columns in which a line is."""
    return {int(x) for x in re.findall(r"[ML](\d+) ", strip.path)}


def pieces(strip: Strip) -> int:
    """How many lines there are."""
    return strip.path.count("M")


@pytest.mark.parametrize("rate", [1, 2, 5, 10, 25])
@pytest.mark.parametrize("seconds", [3, 8, 60, 3600])
def test_what_was_read_throughout_is_one_line(rate: int, seconds: int) -> None:
    times = sampled(seconds, rate)
    for strip in strips(film(times, gaze=table("gaze", times, yaw=10.0)), seconds):
        assert (pieces(strip), strip.gaps) == (1, [])
        assert drawn(strip) == set(range(COLUMNS))
        assert strip.mean in {"10", "0.0"}


def test_a_film_without_a_steady_clock_is_one_line_too() -> None:
    times = np.sort(np.random.default_rng(1).uniform(-0.05, 0.05, 80) + np.arange(80) / 10)
    times -= times[0]
    (strip, _pitch) = strips(film(times, gaze=table("gaze", times, yaw=10.0)), 8.0)
    assert pieces(strip) == 1


@pytest.mark.parametrize("rate", [1, 2, 5, 10])
def test_a_gap_is_as_long_as_nothing_was_read(rate: int) -> None:
    """Also of what is measured less often than the film: it has only its own moments and those not read."""
    times = sampled(8, 10)
    own = times[(np.round(times * 10) % round(10 / rate) == 0) | (times >= 4)]
    found = with_hole(table("gaze", own, yaw=10.0), 4.0, 8.0)
    (strip, _pitch) = strips(film(times, gaze=found), 8.0)
    assert pieces(strip) == 1
    assert strip.gaps == list(range(COLUMNS // 2, COLUMNS))
    assert drawn(strip) == set(range(COLUMNS // 2))


def test_one_moment_is_drawn_and_none_is_not() -> None:
    one = np.zeros(1)
    (strip, _pitch) = strips(film(one, gaze=table("gaze", one, yaw=10.0)), 0.9)
    assert drawn(strip) == set(range(COLUMNS))
    (strip, _pitch) = strips(film(one, gaze=with_hole(table("gaze", one, yaw=10.0), 0, 1)), 0.9)
    assert (strip.path, strip.mean) == ("", "not read")


@pytest.mark.parametrize(
    ("seconds", "spans"),
    [
        (0.9, ["0:00\u20130:01"]),
        (2.9, ["0:00\u20130:01", "0:01\u20130:02", "0:02\u20130:03"]),
        (100, ["0:00\u20130:09", "0:09\u20130:18"]),
    ],
)
def test_the_rows_of_the_table_are_whole_seconds(seconds: float, spans: list[str]) -> None:
    times = sampled(int(max(seconds, 1)), 10)
    rows = table_rows(film(times), seconds)
    assert [row["span"] for row in rows][: len(spans)] == spans
    assert len(rows) <= 12


def test_a_row_names_no_expression_where_too_many_fitted() -> None:
    times = sampled(4, 5)
    plain = happy_or_even(times, lambda t: (t < 1) | (np.abs(t - 2.2) < 0.3))
    found = with_hole(plain, 3.0, 4.0)
    series = film(times, expression=found)
    rows = table_rows(series, 4.0, told_of(expression_pack()))
    assert [row["expression"] for row in rows] == ["happy", "cannot be told", "happy", "\u2013"]
    assert [row["expression"] for row in table_rows(film(times), 4.0)] == [""] * 4


def test_each_row_says_how_much_of_it_was_read() -> None:
    times = sampled(8, 10)
    series = film(times)
    series["summary"] = summary(times, absent=(4.0, 4.45))
    assert [row["read"] for row in table_rows(series, 8.0)] == ["100 %"] * 4 + ["50 %"] + [
        "100 %"
    ] * 3


@pytest.mark.parametrize("count", [1, 2, 6, 10, 11, 121, 126, 601])
@pytest.mark.parametrize("step", [0.1, 0.04, 1.0])
def test_every_moment_is_in_one_row_and_none_is_a_sliver(count: int, step: float) -> None:
    times = np.arange(count) * step
    seconds = float(times[-1])
    for at in {0, count // 2, count - 1}:
        series = film(times)
        series["summary"]["status"][:] = "no-face"
        series["summary"]["status"][at] = "read"
        read = [row["read"] for row in table_rows(series, seconds)]
        assert len(read) <= 12
        assert sum(each not in {"0 %", "\u2013"} for each in read) == 1, (at, read)
    spans = [row["span"].split("\u2013") for row in table_rows(film(times), seconds)]
    assert all(start != end for start, end in spans) or len(spans) == 1


def test_a_last_moment_without_a_face_is_counted_in_the_last_row() -> None:
    times = sampled(60, 10)
    series = film(times)
    series["summary"] = summary(times, absent=(60.0, 60.0))
    assert [row["read"] for row in table_rows(series, 60.0)] == ["100 %"] * 11 + ["98 %"]
    spans = [row["span"] for row in table_rows(film(sampled(12.04, 25)), 12.04)]
    assert spans[-1] == "0:10\u20130:12"


def test_what_was_shown_after_the_film_has_no_line() -> None:
    marks: list[dict[str, Any]] = [
        {"at": 30.0, "name": "a question"},
        {"at": 60.0, "until": 80.0, "name": "thanks"},
        {"at": 300.0, "name": "another film"},
    ]
    found = mark_rows(marks, 60.0)
    assert [mark["x"] for mark in found] == [COLUMNS // 2, COLUMNS - 1, None]
    assert [mark["at"] for mark in found] == ["0:30", "1:00\u20131:20", "5:00"]
