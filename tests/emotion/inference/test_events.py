"""Blinks, nods, looking away, motion, the neutral stretch, and the figures drawn from them."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from emotion.inference.baseline import against, find_baseline
from emotion.inference.blinks import find_closures, sees_blinks
from emotion.inference.body import POINTS
from emotion.inference.events import UNITS, find_events
from emotion.inference.expressions import expression_pack, expression_part
from emotion.inference.film_rates import due
from emotion.inference.film_reading import EXPRESSION_RATE
from emotion.inference.labels import LABELS
from emotion.inference.look_away import find_look_aways
from emotion.inference.motion import body_speed, head_speed, shoulder_width
from emotion.inference.nods import find_nods
from emotion.inference.series import Series
from emotion.inference.spans import Line, seconds_of, spans_above, stretches
from emotion.inference.summaries import summarise
from tests.emotion.inference.acted import (
    Curve,
    film,
    happy_or_even,
    ramp,
    sampled,
    smile_table,
    summary,
    table,
    turned,
    unread,
    waves,
    with_hole,
)

RATES = st.sampled_from([10.0, 12.5, 25.0, 50.0])


def lids(*starts: float, closed: float = 0.1) -> Curve:
    """Open eyes at 0.1, and a blink at each time: 0.06 s down, closed, 0.1 s up."""
    return lambda t: 0.1 + sum(ramp(at, 0.06, closed, 0.1, 0.6)(t) for at in starts)


@settings(max_examples=30)
@given(st.sampled_from([25.0, 30.0, 50.0]), st.floats(0, 0.4), st.integers(0, 9))
def test_blinks_are_counted_at_any_fast_sampling(rate: float, jitter: float, seed: int) -> None:
    times = sampled(20, rate, jitter=jitter, seed=seed)
    starts = (2.0, 5.5, 6.3, 14.02)
    found = find_closures(
        table("blendshapes", times, eyeBlinkLeft=lids(*starts), eyeBlinkRight=lids(*starts))
    )
    assert [each.kind for each in found] == ["blink"] * 4
    for each, start in zip(found, starts, strict=True):
        assert each.start == pytest.approx(start + 0.015, abs=1 / rate)
        assert each.end - each.start == pytest.approx(0.22, abs=1.2 / rate)


def test_closed_eyes_are_no_blink_and_slow_sampling_says_so() -> None:
    curve = lids(4.0, closed=1.5)
    slow = table("blendshapes", sampled(10, 10), eyeBlinkLeft=curve, eyeBlinkRight=curve)
    assert [each.kind for each in find_closures(slow)] == ["eyes-closed"]
    assert not sees_blinks(slow)
    assert sees_blinks(table("blendshapes", sampled(10, 25)))
    figures = summarise(film(slow["time"], blendshapes=slow), [])["blendshapes"]
    assert figures["blink_rate"]["value"] is None
    assert figures["blinks"]["at_least"] is True


@pytest.mark.parametrize("seconds", [2.0, 9.0, 12.0, 16.0])
def test_eyes_that_are_closed_for_most_of_a_film_are_closed(seconds: float) -> None:
    times = sampled(20, 25)
    curve = ramp(3, 0.1, seconds - 0.2, 0.1, 0.6)
    eyes = table(
        "blendshapes",
        times,
        0.02,
        eyeBlinkLeft=lambda t: 0.1 + curve(t),
        eyeBlinkRight=lambda t: 0.1 + curve(t),
    )
    (closed,) = find_closures(eyes)
    assert (closed.kind, closed.cut) == ("eyes-closed", False)
    assert closed.end - closed.start == pytest.approx(seconds - 0.1, abs=0.1)


@pytest.mark.parametrize("noise", [0.0, 0.02, 0.04])
@pytest.mark.parametrize("rest", [0.02, 0.1, 0.35])
def test_open_eyes_are_those_of_this_person(rest: float, noise: float) -> None:
    """Blinks are the same wherever the lids of open eyes are, also where somebody looks up for a while."""
    times = sampled(60, 25)
    starts = tuple(range(2, 58, 4))

    def curve(t: Line) -> Line:
        up = np.where((t > 30.5) & (t < 33), 0.5, 1.0)
        return rest * up + sum(ramp(at, 0.06, 0.1, 0.1, 0.6)(t) for at in starts)

    eyes = table("blendshapes", times, noise, eyeBlinkLeft=curve, eyeBlinkRight=curve)
    assert [each.kind for each in find_closures(eyes)] == ["blink"] * len(starts)


@pytest.mark.parametrize("hole", [(3.15, 3.9), (2.5, 3.1), (-1.0, 3.1), (3.15, 30.0)])
def test_a_blink_that_was_half_seen_is_neither_a_blink_nor_closed_eyes(
    hole: tuple[float, float],
) -> None:
    times = sampled(20, 25)
    eyes = table("blendshapes", times, eyeBlinkLeft=lids(3.0), eyeBlinkRight=lids(3.0))
    assert find_closures(with_hole(eyes, *hole)) == []
    closed = lids(3.0, closed=2.0)
    longer = table("blendshapes", times, eyeBlinkLeft=closed, eyeBlinkRight=closed)
    (seen,) = find_closures(with_hole(longer, 4.0, 5.5))
    assert (seen.kind, seen.cut) == ("eyes-closed", True)


@pytest.mark.parametrize("of", [24, 25, 30000 / 1001, 30, 50, 60])
@pytest.mark.parametrize("rate", [15, 16, 20])
def test_blinks_have_a_rate_from_fifteen_pictures_a_second_on(of: float, rate: int) -> None:
    """Taken out of a film that has more, of which the rate is no divisor."""
    every = np.arange(round(20 * of)) / of
    times = every[np.diff(np.floor(every * rate + 1e-6), prepend=-1) > 0]
    assert sees_blinks(table("blendshapes", times))
    assert not sees_blinks(table("blendshapes", sampled(20, 14)))


@settings(max_examples=30)
@given(
    st.sampled_from([6.0, 7.0, 10.0, 25.0]),
    st.integers(0, 5),
    st.sampled_from([0.8, 1.0, 1.25, 1.7, 2.0]),
)
def test_nods_are_seen_from_six_readings_a_second_on(rate: float, seed: int, hertz: float) -> None:
    times = sampled(16, rate, jitter=0.1, seed=seed)
    curve = waves(5, 4 / hertz, 1 / hertz, 10)
    (nod,) = find_nods(table("head-pose", times, noise=0.4, pitch=curve))
    assert nod.swings in (8, 9)


@pytest.mark.parametrize("rate", [1, 2, 3, 5])
def test_where_nods_cannot_be_seen_their_number_is_not_said(rate: int) -> None:
    times = sampled(60, rate)
    head = table("head-pose", times, noise=0.4, pitch=waves(2, 56, 0.8, 10), z=-60.0)
    assert find_nods(head) == [], "slow turns would be seen that nobody made"
    figures = summarise(film(times, head_pose=head), [])["head-pose"]
    for name in ("nods", "shakes"):
        assert figures[name] == {"value": None, "unit": "times", "reason": "too-seldom"}
    assert figures["looked_away"]["value"] == 0


def test_what_was_not_read_is_not_told_as_not_having_happened() -> None:
    series = unread(sampled(20, 25))
    assert find_events(series) == []
    found = summarise(series, [], None, expression_pack().calibration)
    gaze = found["gaze"]["looked_away"]
    assert gaze["reason"] == "not-read"
    for category, figures in found.items():
        if category != "summary":
            assert figures.pop("read")["value"] == 0
            assert {figure["value"] for figure in figures.values()} == {None}, category
    alone = summarise({name: series[name] for name in ("summary", "head-pose")}, [])
    assert alone["head-pose"]["looked_away"]["value"] is None


@settings(max_examples=30)
@given(RATES, st.floats(0, 0.3), st.integers(0, 5), st.sampled_from([0.5, 0.6, 0.8]))
def test_a_nod_is_a_nod_at_any_sampling(rate: float, jitter: float, seed: int, each: float) -> None:
    times = sampled(10, rate, jitter=jitter, seed=seed)
    head = table("head-pose", times, noise=0.4, pitch=waves(4, 2 * each, each, 9))
    (nod,) = find_nods(head)
    assert nod.kind == "nod"
    assert nod.start == pytest.approx(4, abs=0.35)
    assert nod.end == pytest.approx(4 + 2 * each, abs=0.35)
    assert 8 < nod.degrees < 20


def test_shake_and_slow_turns_and_noise() -> None:
    times = sampled(12, 25)
    shake = table("head-pose", times, noise=0.4, yaw=waves(3, 1.5, 0.6, 10))
    assert [nod.kind for nod in find_nods(shake)] == ["shake"]
    aside = table("head-pose", times, noise=0.4, yaw=ramp(3, 0.4, 2.0, 0.4, 30.0))
    slow = table("head-pose", times, noise=0.4, pitch=waves(1, 8, 4, 15))
    still = table("head-pose", times, noise=0.6)
    for each in (aside, slow, still):
        assert find_nods(each) == []


@given(RATES)
def test_looking_away_by_the_head_the_eyes_or_both(rate: float) -> None:
    times = sampled(10, rate)
    place = {"z": -60.0}
    half = ramp(4, 0.2, 2.0, 0.2, 22.0)
    whole = ramp(4, 0.2, 2.0, 0.2, 44.0)
    head, eyes = table("head-pose", times, yaw=half, **place), table("gaze", times, yaw=half)
    assert find_look_aways({"head-pose": head}) == []
    assert find_look_aways({"gaze": eyes}) == []
    (both,) = find_look_aways({"head-pose": head, "gaze": eyes})
    assert both.start == pytest.approx(4.09, abs=0.01 + 0.5 / rate)
    assert both.end - both.start == pytest.approx(2.22, abs=1 / rate)
    assert both.degrees == pytest.approx(44, abs=1)
    back = table("gaze", times, yaw=ramp(4, 0.2, 2.0, 0.2, -44.0))
    turned = table("head-pose", times, yaw=whole, **place)
    assert find_look_aways({"head-pose": turned, "gaze": back}) == [], "eyes stay on the camera"


@given(RATES, st.sampled_from(["head-pose", "gaze", "both"]), st.sampled_from([50.0, 70.0, 120.0]))
def test_a_head_turned_too_far_to_be_read_looks_away(
    rate: float, seen: str, degrees: float
) -> None:
    times = sampled(20, rate)
    yaw = ramp(4, 0.3, 10, 0.3, degrees)
    tables = {"head-pose": table("head-pose", times, noise=0.3, yaw=yaw, z=-60.0)}
    tables["gaze"] = table("gaze", times)
    kept = {name: each for name, each in tables.items() if seen in (name, "both")}
    series = turned(film(times) | kept, yaw(times))
    (away,) = [event for event in find_events(series) if event.kind == "look-away"]
    assert away.start == pytest.approx(4.1, abs=0.2 + 1 / rate)
    assert away.end - away.start == pytest.approx(10.3, abs=0.3 + 2 / rate)
    assert away.values == {"degrees": pytest.approx(degrees, abs=1), "cut": False}
    figures = summarise(series, find_events(series))["head-pose" if seen == "head-pose" else "gaze"]
    assert figures["looked_away"]["value"] == pytest.approx(away.end - away.start)
    assert figures["looked_away"]["of"] == pytest.approx(20), "it was seen all the time"
    alone = {name: series[name] for name in kept}
    assert find_look_aways(alone) == [], "without the summary nothing is known of these moments"


def test_a_face_that_is_not_read_for_another_reason_looks_nowhere() -> None:
    times = sampled(20, 10)
    yaw = np.where((times > 4) & (times < 14), 70.0, 0.0)
    series = turned(film(times, head_pose=table("head-pose", times, z=-60.0)), yaw)
    assert [event.kind for event in find_events(series)] == ["look-away"]
    status = series["summary"]["status"]
    status[status == "turned-away"] = "too-dark"
    assert find_events(series) == []
    assert summarise(series, [])["head-pose"]["looked_away"]["of"] == pytest.approx(10.1)


def test_a_person_beside_the_camera_looks_at_it() -> None:
    times = sampled(5, 10)
    aside = {"x": 60.0, "z": -60.0}
    assert find_look_aways({"head-pose": table("head-pose", times, yaw=-45.0, **aside)}) == []
    assert len(find_look_aways({"head-pose": table("head-pose", times, **aside)})) == 1


@given(st.sampled_from([5.0, 10.0, 25.0, 50.0]))
def test_speeds_do_not_depend_on_the_sampling(rate: float) -> None:
    times = sampled(6, rate)

    def turning(t: Line) -> Line:
        return 20 * t

    turned, moved = head_speed(table("head-pose", times, yaw=turning, z=lambda t: -60 + 3 * t))
    assert turned[times >= 0.2] == pytest.approx(20, rel=1e-3)
    assert moved[times >= 0.2] == pytest.approx(3, rel=1e-3)
    assert np.isnan(turned[times < 0.2 - 1e-9]).all()


def test_noise_counts_alike_at_every_rate() -> None:
    speeds = [
        float(np.nanmean(head_speed(table("head-pose", sampled(20, rate), noise=0.4))[0]))
        for rate in (10, 25, 50)
    ]
    assert max(speeds) < 1.3 * min(speeds)


def test_body_motion_in_shoulder_widths() -> None:
    times = sampled(4, 5)
    seen = {f"{point}_score": 0.9 for point in POINTS}

    def moving(t: Line) -> Line:
        return 0.1 * t

    points = {f"{point}_x": moving for point in POINTS} | seen
    points["left_shoulder_x"] = lambda t: 0.2 + 0.1 * t
    found = table("body-motion", times, **points)
    assert shoulder_width(found) == pytest.approx(0.2, rel=1e-3)
    assert body_speed(found)[2:] == pytest.approx(0.5, rel=1e-3)
    unseen = table("body-motion", times, **points | {f"{point}_score": 0.1 for point in POINTS})
    assert np.isnan(body_speed(unseen)).all()


def test_neutral_stretch_found_marked_and_used() -> None:
    times = sampled(20, 10)
    head = table("head-pose", times, pitch=5.0, yaw=waves(0, 8, 2.0, 15))
    faces = table("expression", sampled(20, 5), neutral=ramp(6, 0.5, 9, 0.5, 0.9), happy=0.05)
    series = film(times, head_pose=head, expression=faces)
    found = find_baseline(series)
    assert found is not None
    assert found.how == "found"
    assert found.start == pytest.approx(8.2, abs=0.5)
    assert found.end == pytest.approx(15.7, abs=0.5)
    assert found.level("head-pose", "pitch") == pytest.approx(5)
    rest = against(head, "head-pose", found)
    assert rest["pitch"] == pytest.approx(0, abs=1e-6)
    marked = find_baseline(series, (1.0, 3.0))
    assert marked is not None
    assert (marked.start, marked.end, marked.how) == (1.0, 3.0, "marked")
    restless = table("head-pose", times, yaw=waves(0, 20, 1.0, 15))
    assert find_baseline(film(times, head_pose=restless)) is None
    assert find_baseline(film(times)) is None


@pytest.mark.parametrize("marked", [(0.0, 2.5), (100.0, 105.0)])
def test_a_marked_stretch_that_was_not_read_is_no_face_at_rest(marked: tuple[float, float]) -> None:
    """Too dark, or outside of the film. The corners of this mouth rest at 0.25."""
    times = sampled(20, 10)
    signs = smile_table(times)
    for name in ("lip_left", "lip_right"):
        signs[name] = (0.25 + 0.5 * signs[name]).astype(np.float32)
    series = film(times, smile_marker=with_hole(signs, 0, 2.55))
    series["summary"]["status"][times < 2.55] = "too-dark"
    found = find_baseline(series, marked)
    assert found is not None
    assert found.how == "found-instead"
    assert found.start > 4
    assert found.level("smile-marker", "lip_left") == pytest.approx(0.25)
    (smile,) = find_events(series, found)
    assert smile.end == pytest.approx(6.0, abs=0.2), "not to the end of the film"
    told = summarise(series, [smile], found)["summary"]["baseline"]
    assert told == {
        "value": found.end - found.start,
        "unit": "seconds",
        "start": found.start,
        "end": found.end,
        "how": "found-instead",
    }


def test_where_nothing_was_at_rest_that_is_told_too() -> None:
    times = sampled(20, 10)
    head = table("head-pose", times, yaw=waves(0, 20, 1.0, 15))
    series = film(times, head_pose=with_hole(head, 0, 2.55), gaze=table("gaze", times))
    found = find_baseline(series, (0.0, 2.5))
    assert found is not None
    assert (found.how, found.levels) == ("unread", {}), "what was read of the gaze is not enough"
    figure = summarise(series, [], found)["summary"]["baseline"]
    assert (figure["value"], figure["how"]) == (None, "unread")
    assert find_baseline(series) is None
    body = film(times, head_pose=head, body_motion=table("body-motion", np.zeros(0)))
    seen = find_baseline(body, (0.0, 2.5))
    assert seen is not None
    assert seen.how == "marked", "the body is no part of a face at rest"


def test_events_and_figures_of_a_whole_film() -> None:
    times = sampled(32, 25)
    blinks = lids(8.0, 20.0)
    series = film(
        times,
        smile_marker=smile_table(times),
        blendshapes=table("blendshapes", times, eyeBlinkLeft=blinks, eyeBlinkRight=blinks),
        head_pose=table("head-pose", times, pitch=waves(12, 1.2, 0.6, 9), z=-60.0),
        gaze=table("gaze", times, yaw=ramp(25, 0.2, 3.0, 0.2, 40.0)),
        expression=table("expression", sampled(32, 5), neutral=0.7, happy=0.3, valence_index=0.3),
        body_motion=table("body-motion", sampled(32, 2)),
    )
    series["summary"] = summary(times, absent=(29.0, 31.0))
    events = find_events(series)
    kinds = [event.kind for event in events]
    assert kinds == ["smile", "blink", "nod", "blink", "look-away", "no-face"]
    found = summarise(series, events, find_baseline(series), expression_pack().calibration)
    json.dumps([found, [event.to_json() for event in events]], allow_nan=False)
    assert found["smile-marker"]["smiles"]["value"] == 1
    assert found["smile-marker"]["smiled"]["value"] == pytest.approx(2.98, abs=0.05)
    assert found["smile-marker"]["markers"]["by_verdict"] == {"duchenne-like": 1}
    assert found["blendshapes"]["blink_rate"]["value"] == pytest.approx(60 * 2 / 32, rel=0.01)
    assert found["gaze"]["looked_away"]["value"] == pytest.approx(3.2, abs=0.1)
    assert found["gaze"]["looked_away"]["made_of"] == ["head-pose", "gaze"]
    assert "looked_away" not in found["head-pose"]
    assert found["summary"]["watched"]["value"] == pytest.approx(32)
    assert found["summary"]["read"]["value"] == pytest.approx(29.96, abs=0.05)
    assert found["summary"]["abstained"]["value"] == pytest.approx(2.04, abs=0.05)
    assert found["summary"]["abstained"]["why"]["no-face"] == pytest.approx(2.04, abs=0.05)
    assert found["expression"]["neutral_foremost"]["value"] == pytest.approx(32, abs=0.01)
    assert found["expression"]["valence_index_mean"]["value"] == pytest.approx(0.3)
    assert found["body-motion"]["moving"]["value"] is None
    for event in events:
        assert set(event.values) <= set(UNITS) | {"cut", "verdict", "why", "note"}
        assert set(event.categories) <= set(series)


@settings(max_examples=50)
@given(st.lists(st.floats(0.001, 1), min_size=7, max_size=7))
def test_a_film_tells_of_a_moment_what_a_photograph_would(votes: list[float]) -> None:
    shares = dict(zip(LABELS, (np.array(votes) / sum(votes)).astype(np.float32), strict=True))
    series = film(sampled(4, 5), expression=table("expression", sampled(4, 5), **shares))
    pack = expression_pack()
    figures = summarise(series, [], None, pack.calibration)["expression"]
    photograph = expression_part(np.array([*shares.values()]), pack)
    told = {label for label in LABELS if figures[f"{label}_foremost"]["value"] > 0}
    assert told == ({photograph["top"]} if photograph["top"] else set())
    assert figures["untold"] == {
        "value": 4.0 if photograph["abstained"] else 0.0,
        "unit": "seconds",
    }


def test_no_expression_is_told_where_too_many_fit() -> None:
    times = sampled(10, 5)
    series = film(times, expression=happy_or_even(times, lambda t: t < 3))
    figures = summarise(series, [], None, expression_pack().calibration)["expression"]
    assert figures["happy_foremost"]["value"] == pytest.approx(2.9)
    assert figures["untold"]["value"] == pytest.approx(7.1)
    assert figures["sad_foremost"]["value"] == 0
    unknown = summarise(series, [])["expression"]
    assert unknown["untold"] == figures["read"], "no pack, no word"


def test_only_what_is_there_is_told() -> None:
    times = sampled(5, 10)
    series = film(times)
    assert find_events(series) == []
    assert set(summarise(series, [])) == {"summary"}
    empty = film(np.zeros(0), smile_marker=smile_table(np.zeros(0)))
    assert find_events(empty) == []
    assert summarise(empty, [])["smile-marker"]["smiled"]["value"] is None


@given(st.lists(st.floats(0.02, 3.0), min_size=1, max_size=60), st.data())
def test_spans_lie_inside_the_stretches_and_do_not_overlap(
    steps: list[float], data: st.DataObject
) -> None:
    times = np.cumsum(steps)
    values = np.array(
        data.draw(
            st.lists(
                st.floats(0, 1) | st.just(float("nan")), min_size=len(times), max_size=len(times)
            )
        )
    )
    found = spans_above(times, values, 0.6, 0.4)
    for one, other in pairwise(found):
        assert one.end <= other.start
    for span in found:
        assert times[0] <= span.start <= span.end <= times[-1]
        assert np.nanmax(values[span.first : span.last + 1]) >= 0.6
        assert not (values[span.first : span.last + 1] < 0.4).any()


@given(st.lists(st.floats(0.01, 2.0), min_size=1, max_size=50))
def test_seconds_add_up_to_what_was_seen(steps: list[float]) -> None:
    times = np.cumsum(steps)
    seen = sum(times[last] - times[first] for first, last in stretches(times))
    assert seconds_of(times).sum() == pytest.approx(seen)
    assert (seconds_of(times) >= 0).all()


@pytest.mark.parametrize("fast", [4.0, 20.0, 36.0])
def test_a_camera_that_becomes_slower_is_no_hole(fast: float) -> None:
    """Thirty pictures a second, and from some second on, in the dark, one every 0.6 s."""
    times = np.concatenate([np.arange(0, fast, 1 / 30), np.arange(fast, 40.2, 0.6)])
    for one in (times, 40 - times[::-1]):
        series = film(one, gaze=table("gaze", one))
        found = summarise(series, [])
        assert found["summary"]["watched"]["value"] == pytest.approx(one[-1] - one[0])
        assert found["gaze"]["read"]["value"] == pytest.approx(one[-1] - one[0])


def test_what_was_read_now_and_then_is_no_slow_camera() -> None:
    """Ten moments a second, of which for a while every eighth is read: nothing is known between them."""
    times = sampled(40, 10)
    gaze = table("gaze", times)
    unread = (times > 10) & (times < 30) & (np.arange(len(times)) % 8 > 0)
    gaze["yaw"][unread] = np.nan
    found = summarise(film(times, gaze=gaze), [])
    assert found["summary"]["watched"]["value"] == pytest.approx(40)
    assert found["gaze"]["read"]["value"] == pytest.approx(22.6), "each for its tenth of a second"
    frozen = np.concatenate([np.arange(0, 10, 0.1), np.arange(18, 28, 0.1)])
    told = summarise(film(frozen), [])["summary"]
    assert told["watched"]["value"] == pytest.approx(27.9)
    assert told["read"]["value"] == pytest.approx(19.8)
    assert told["abstained"]["why"] == {"no-picture": pytest.approx(8.1)}


def read_at(times: Line, read: NDArray[np.bool_]) -> Series:
    """A film that is happy, smiling and turned away throughout, of which these moments are read; the
    expression is due five times a second, as in ``film_reading``.
    """
    expressed, asked = None, np.ones(len(times), np.bool_)
    for at, time in enumerate(times):
        asked[at] = not read[at] or due(expressed, time, EXPRESSION_RATE)
        expressed = time if read[at] and asked[at] else expressed
    tables = {
        "smile_marker": table("smile-marker", times, lip_left=0.9, lip_right=0.9),
        "blendshapes": table("blendshapes", times, mouthSmileLeft=0.9),
        "head_pose": table("head-pose", times, yaw=40.0, z=-60.0),
        "gaze": table("gaze", times),
        "expression": happy_or_even(times, lambda t: t >= 0),
    }
    for each in tables.values():
        for name in set(each) - {"time"}:
            each[name][~read] = np.nan
    tables["expression"] = {name: rows[asked] for name, rows in tables["expression"].items()}
    series = film(times, **tables)
    series["summary"]["status"][~read] = "covered"
    return series


@settings(max_examples=60)
@given(st.lists(st.booleans(), min_size=2, max_size=80), st.sampled_from([2.0, 10.0, 25.0]))
def test_no_category_counts_time_that_was_not_read(read: list[bool], rate: float) -> None:
    series = read_at(np.arange(len(read)) / rate, np.array(read))
    found = summarise(series, find_events(series), None, expression_pack().calibration)
    most = found["summary"]["read"]["value"] + 1e-9
    for category in set(found) - {"summary"}:
        assert found[category]["read"]["value"] <= most
    for figure in ("happy_foremost", "untold"):
        assert (found["expression"][figure]["value"] or 0) <= most
    assert (found["smile-marker"]["smiled"]["value"] or 0) <= most
    assert (found["gaze"]["looked_away"]["value"] or 0) <= most
    assert (found["gaze"]["looked_away"].get("of") or 0) <= most


def test_of_moments_that_are_read_now_and_then_only_these_count() -> None:
    times = sampled(60, 10)
    series = read_at(times, np.arange(len(times)) % 4 == 0)
    found = summarise(series, find_events(series), None, expression_pack().calibration)
    seconds = pytest.approx(15, abs=0.1)
    assert found["summary"]["read"]["value"] == seconds
    assert found["expression"]["happy_foremost"]["value"] == seconds
    assert found["smile-marker"]["smiles"]["value"] == 1, "it is followed across what was not read"
    assert found["smile-marker"]["smiled"]["value"] == seconds
    assert found["gaze"]["looked_away"]["value"] == seconds


def test_nothing_is_carried_across_a_hole() -> None:
    times = sampled(10, 25)

    def down(t: Line) -> Line:
        return np.where((t > 4.99) & (t < 5.62), -9.0, 0.0)

    head = table("head-pose", times, pitch=down)
    assert len(find_nods(head)) == 1
    assert find_nods(with_hole(head, 5.02, 5.55)) == [], "who knows what was in between"


def test_where_nobody_could_be_told_any_more_is_an_event_to_the_end() -> None:
    times = sampled(10, 10)
    told = summary(times, absent=(4.0, 5.95))
    told["status"][(times >= 6) & (times < 9)] = "person-lost"
    told["status"][times >= 9] = "no-face"  # whoever came in went out again
    series = film(times)
    series["summary"] = told
    (lost,) = [event for event in find_events(series) if event.kind == "person-lost"]
    assert (lost.start, lost.end, lost.values) == (6.0, float(times[-1]), {})
    figures = summarise(series, find_events(series))["summary"]
    assert figures["person_lost_at"]["value"] == 6.0
    assert figures["abstained"]["why"]["person-lost"] == pytest.approx(3.0, abs=0.05)
    assert (
        summarise(film(times), find_events(film(times)))["summary"]["person_lost_at"]["value"]
        is None
    )
