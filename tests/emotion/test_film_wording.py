"""A film's figures in sentences, and the words for whatever can stand in a result."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from emotion.angle_words import angle_facts, index_facts, smile_findings, uneven_smile
from emotion.film_wording import EVENTS, NOT_READ, UNTOLD, UNTOLD_AWAY, VERDICTS, film_sentences
from emotion.inference.baseline import find_baseline
from emotion.inference.events import find_events
from emotion.inference.expressions import expression_pack
from emotion.inference.photos import analyse_photo
from emotion.inference.quality import THRESHOLDS
from emotion.inference.readings import IN_A_PHOTOGRAPH, STATUSES
from emotion.inference.series import Series
from emotion.inference.summaries import NO_PICTURE, summarise
from emotion.wording import in_words, measured
from tests.emotion.inference import film_making
from tests.emotion.inference.acted import (
    film,
    happy_or_even,
    ramp,
    sampled,
    smile_table,
    summary,
    table,
    unread,
    waves,
)
from tests.emotion.inference.photographs import pixels


def test_whatever_can_happen_has_words() -> None:
    schema = Path(__file__).resolve().parents[2] / "emotion" / "schemas" / "series.schema.json"
    kinds = json.loads(schema.read_text())["$defs"]["event"]["properties"]["kind"]["enum"]
    assert set(EVENTS) == set(kinds)
    assert set(NOT_READ) == set(STATUSES) - {"read"} | {NO_PICTURE}
    assert set(VERDICTS) == {"duchenne-like", "not", "cannot-tell"}


def test_a_film_in_sentences() -> None:
    times = sampled(32, 25)
    eyes = ramp(8, 0.06, 0.1, 0.1, 0.6)
    series = film(
        times,
        smile_marker=smile_table(times),
        blendshapes=table("blendshapes", times, eyeBlinkLeft=eyes, eyeBlinkRight=eyes),
        head_pose=table("head-pose", times, pitch=waves(12, 1.2, 0.6, 9), z=-60.0),
        gaze=table("gaze", times, yaw=ramp(25, 0.2, 3.0, 0.2, 40.0)),
        expression=table("expression", sampled(32, 5), neutral=0.7, happy=0.3),
    )
    series["summary"] = summary(times, absent=(29.0, 31.0))
    figures = summarise(series, find_events(series), None, expression_pack().calibration)
    assert film_sentences(figures) == [
        "The face could be read in 30 of 32 seconds.",
        "Not read for 2.0 seconds: no face was found.",
        "Where it could be told, the expression looked neutral for longest: in 32 of 32 seconds.",
        "A smile showed in 3.0 of 32 seconds.",
        "In 1 of 1 smile the cheeks and eyes rose together with the corners of the mouth; for 0 it cannot "
        "be told. That proves no feeling.",
        "The eyes blinked 1.9 times a minute.",
        "The head nodded 1 time.",
        "The head was shaken 0 times.",
        "Head and eyes pointed away from the camera in 3.2 of 32 seconds.",
    ]


def test_how_long_no_expression_could_be_told_is_said_first_where_it_was_longer() -> None:
    times = sampled(10, 5)

    def sentences(seconds: float) -> list[str]:
        found = happy_or_even(times, lambda t: t < seconds)
        calibration = expression_pack().calibration
        return film_sentences(summarise(film(times, expression=found), [], None, calibration))[1:]

    looked = "Where it could be told, the expression looked happy for longest: in {} of 10 seconds."
    untold = (
        "In {} of 10 seconds it could not be told which expression showed, because too many fitted."
    )
    assert sentences(0) == [untold.format("10")]
    assert sentences(3) == [untold.format("7.1"), looked.format("2.9")]
    assert sentences(7) == [looked.format("6.9"), untold.format("3.1")]
    assert sentences(11) == [looked.format("10")]


def test_from_when_on_nobody_was_analysed_is_said() -> None:
    times = sampled(10, 10)
    series = film(times)
    series["summary"]["status"][times >= 6] = "person-lost"
    assert film_sentences(summarise(series, find_events(series))) == [
        "The face could be read in 6.0 of 10 seconds.",
        "From second 6.0 on not read, for 4.0 seconds: the face was out of sight or somebody came near, "
        "and it could not be told any more which face is the right one.",
    ]


@pytest.mark.parametrize(("container", "codec"), [("mp4", "h264"), ("webm", "vp9")])
def test_of_a_film_with_lost_pictures_the_lost_seconds_are_told(container: str, codec: str) -> None:
    recipe = film_making.Recipe(container, codec, count=300, size=(160, 120), key_every=50)
    data = bytearray(film_making.film(recipe))
    lost = slice(len(data) * 35 // 100, len(data) * 65 // 100)
    data[lost] = np.random.default_rng(1).bytes(lost.stop - lost.start)
    times = np.array([frame.time for frame in film_making.run(bytes(data), 10.0)])
    figures = summarise(film(times), [])
    told = figures["summary"]
    assert told["watched"]["value"] == times[-1] == pytest.approx(11.92)
    why = told["abstained"]["why"]
    assert told["read"]["value"] + sum(why.values()) == pytest.approx(times[-1])
    assert why == {NO_PICTURE: pytest.approx(np.diff(times).max())}
    assert film_sentences(figures) == [
        "The face could be read in 7.8 of 12 seconds.",
        "Not read for 4.1 seconds: the film has no picture there that can be shown.",
    ]


def test_a_film_with_few_pictures_has_lost_none() -> None:
    for times in (np.arange(0, 60.5), np.cumsum(np.tile([0.04, 0.3, 0.45], 40))):
        assert film_sentences(summarise(film(times - times[0]), [])) == [
            f"The face could be read in {times[-1] - times[0]:.0f} of {times[-1] - times[0]:.0f} seconds."
        ]


def test_a_marked_rest_that_was_not_read_is_said() -> None:
    times = sampled(10, 10)
    still = film(times, head_pose=table("head-pose", times, z=-60.0))
    restless = film(times, head_pose=table("head-pose", times, yaw=waves(0, 10, 1.0, 15), z=-60.0))

    def said(series: Series, marked: tuple[float, float] | None) -> list[str]:
        figures = summarise(series, [], find_baseline(series, marked))
        return [each for each in film_sentences(figures) if "at rest" in each]

    assert said(still, (2.0, 4.0)) == said(still, None) == said(restless, None) == []
    assert said(still, (20.0, 25.0)) == [
        "Nothing could be read in the stretch that was marked as the face at rest; the one from second 0.2 "
        "to second 10 was found instead."
    ]
    assert said(restless, (20.0, 25.0)) == [
        "Nothing could be read in the stretch that was marked as the face at rest, and no other one was "
        "found."
    ]


def test_only_what_was_measured_is_said() -> None:
    times = sampled(5, 10)
    assert len(film_sentences(summarise(film(times), []))) == 1
    slow = film(times, blendshapes=table("blendshapes", times))
    assert film_sentences(summarise(slow, find_events(slow)))[1:] == [
        "The pictures came too slowly to see blinks."
    ]
    still = film(times, smile_marker=smile_table(sampled(2, 10)))
    assert film_sentences(summarise(still, find_events(still)))[1:] == [
        "No smile showed in the 2.0 seconds that could be read."
    ]
    nodding = film(times, head_pose=table("head-pose", sampled(5, 2), z=-60.0))
    assert film_sentences(summarise(nodding, find_events(nodding)))[1:] == [
        "Whether the head nodded or was shaken could not be told, because it was read too seldom.",
        "The head pointed away from the camera in 0.0 of 5.0 seconds.",
    ]
    staring = film(times, gaze=table("gaze", times))
    assert film_sentences(summarise(staring, find_events(staring)))[1:] == [
        "The eyes were turned away within the head, or the head too far for them to be seen, in 0.0 of 5.0 "
        "seconds.",
    ]


def test_of_what_was_not_read_nothing_is_said_but_that() -> None:
    series = unread(sampled(20, 25))
    told = film_sentences(
        summarise(series, find_events(series), None, expression_pack().calibration)
    )
    assert told[:2] == [
        "The face could be read in 0.0 of 20 seconds.",
        "Not read for 20 seconds: too dark.",
    ]
    assert len(told) == 2 + len(UNTOLD) + 1
    both = UNTOLD_AWAY["head-pose", "gaze"]
    assert set(told[2:]) == {str(sentence) for sentence in (*UNTOLD.values(), both)}
    assert all("could not be told, because nothing of" in each for each in told[2:])
    for left_out, said in (
        ("gaze", "Whether the head pointed"),
        ("head-pose", "Whether the eyes were"),
    ):
        alone = {name: each for name, each in series.items() if name != left_out}
        (away,) = [each for each in film_sentences(summarise(alone, [])) if "away" in each]
        assert away.startswith(said)


def test_a_photograph_in_words() -> None:
    parts = analyse_photo(pixels(), IN_A_PHOTOGRAPH).parts()
    assert set(parts) == {"summary", *IN_A_PHOTOGRAPH}
    assert parts["smile-marker"]["verdict"] == "cannot-tell"
    assert "no feeling" in parts["smile-marker"]["note"]
    page = in_words(parts)
    assert dict(page["angles"])["Head raised"] == "15° down"
    assert dict(page["angles"])["Head turned"] == "straight"
    assert dict(page["indices"])["Valence index (-1 to 1)"].startswith("0.99 (the share of")
    (said,) = [each for each in page["findings"] if "cannot be told from one photograph" in each]
    assert "no feeling" in said


@pytest.mark.parametrize("name", THRESHOLDS)
@pytest.mark.parametrize("share", [1e-9, 1e-4, 0.003, 0.009, 0.02])
def test_a_figure_beyond_its_limit_is_shown_beyond_it(name: str, share: float) -> None:
    limit = THRESHOLDS[name]
    least = math.isfinite(limit.least)
    edge = limit.least if least else limit.most
    for value in (edge, edge * (1 - share), edge * (1 + share)):
        shown, needed = (float(each.split()[-1]) for each in measured(name, value).split(";"))
        assert needed == edge
        assert (shown >= needed if least else shown <= needed) == limit.met_by(value)
        assert shown == pytest.approx(value, abs=0.5 if value >= 10 else 0.005)


def test_figures_are_rounded_and_have_no_more_digits_than_they_need() -> None:
    assert measured("turn_degrees", 45.9) == "46; needed: at most 45"
    assert measured("turn_degrees", 45.2) == "45.2; needed: at most 45"
    assert measured("covered", 0.509) == "0.51; needed: at most 0.50"
    assert measured("face_size_px", 119.6) == "120; needed: at least 48"


@pytest.mark.parametrize(("value", "side"), [(0.3, "left"), (-0.3, "right"), (0.05, "")])
def test_an_uneven_smile_names_the_side(value: float, side: str) -> None:
    found = uneven_smile({"asymmetry": {"values": {"mouthSmile": value}}})
    assert [each.split()[1] for each in found] == ([side] if side else [])


def test_readings_from_before_have_less_to_say() -> None:
    assert uneven_smile({"values": {}}) == []
    assert index_facts({"probabilities": {}}) == []
    assert angle_facts({}) == smile_findings({}) == []
