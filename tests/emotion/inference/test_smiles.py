"""Smiles of known shape: when, how fast, how long, and the three answers of the marker."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emotion.inference.smile_marker import CANNOT_TELL, DUCHENNE_LIKE, NOT, judge
from emotion.inference.smiles import BEFORE, SMILE_OFF, SMILE_ON, find_smiles
from tests.emotion.inference.acted import sampled, smile_table, with_hole


def test_one_smile_with_its_times_and_speeds() -> None:
    (smile,) = find_smiles(smile_table(sampled(10, 25)))
    # Lips reach 0.15 of 0.8 after 0.094 of 0.5 s; 90 % of the rest after 0.459 s.
    assert smile.start == pytest.approx(3.094, abs=0.01)
    assert smile.apex_start == pytest.approx(3.459, abs=0.01)
    assert smile.apex_end == pytest.approx(5.557, abs=0.01)
    assert smile.end == pytest.approx(6.069, abs=0.01)
    assert smile.peak == pytest.approx(0.8, abs=0.01)
    assert smile.onset_speed == pytest.approx(1.6, abs=0.05)
    assert smile.offset_speed == pytest.approx(0.8 / 0.7, abs=0.05)
    assert smile.asymmetry == 0
    assert not smile.cut


@settings(max_examples=30)
@given(
    st.sampled_from([10.0, 15.0, 25.0, 50.0]),
    st.floats(0, 0.45),
    st.integers(0, 5),
    st.floats(0.3, 1.2),
    st.floats(1.0, 4.0),
)
def test_the_sampling_does_not_change_the_story(
    rate: float, jitter: float, seed: int, up: float, hold: float
) -> None:
    fine = find_smiles(smile_table(sampled(12, 100), up=up, hold=hold))[0]
    times = sampled(12, rate, jitter=jitter, seed=seed)
    (smile,) = find_smiles(smile_table(times, up=up, hold=hold))
    assert smile.start == pytest.approx(fine.start, abs=1.0 / rate)
    assert smile.end == pytest.approx(fine.end, abs=1.0 / rate)
    assert smile.peak == pytest.approx(fine.peak, abs=0.02)
    assert smile.onset_speed == pytest.approx(fine.onset_speed, rel=0.5)
    assert smile.marker.verdict == DUCHENNE_LIKE


@pytest.mark.parametrize(
    ("acted", "verdict"),
    [
        ({}, DUCHENNE_LIKE),
        ({"noise": 1.0}, DUCHENNE_LIKE),
        ({"cheek": 0.0}, NOT),
        ({"cheek": 0.0, "noise": 1.0}, NOT),
        ({"eye": 0.0}, NOT),
        ({"cheek": 0.008}, CANNOT_TELL),
        ({"late": 1.2}, NOT),
    ],
)
def test_marker_of_known_smiles(acted: dict[str, float], verdict: str) -> None:
    (smile,) = find_smiles(smile_table(sampled(10, 25), **acted))
    assert smile.marker.verdict == verdict
    assert (smile.marker.why != "") == (verdict == CANNOT_TELL)
    assert 0 <= smile.marker.uncertainty <= 0.5
    assert (smile.marker.uncertainty <= 0.2) == (verdict != CANNOT_TELL)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("peak", [0.4, 0.8])
@pytest.mark.parametrize(
    ("late", "verdict"),
    [(0.25, None), (0, DUCHENNE_LIKE), (-0.1, DUCHENNE_LIKE), (-0.25, DUCHENNE_LIKE), (-0.6, NOT)],
)
def test_the_cheeks_may_lead_the_lips(
    late: float, verdict: str | None, peak: float, seed: int
) -> None:
    acted = smile_table(sampled(10, 10), late=late, peak=peak, noise=1.0, seed=seed)
    (smile,) = find_smiles(acted)
    assert smile.marker.lag == pytest.approx(late, abs=0.15)
    assert verdict in (None, smile.marker.verdict)


def test_a_smile_soon_after_another_is_judged_against_the_face_between_them() -> None:
    times = sampled(12, 25)
    one, other = smile_table(times), smile_table(times - 4.0)
    both = {name: np.maximum(one[name], other[name]) for name in one} | {"time": times}
    found = find_smiles(both)
    assert [smile.marker.verdict for smile in found] == [DUCHENNE_LIKE] * 2
    assert found[1].start - found[0].end < 1.1
    assert found[1].marker.cheek_rise == pytest.approx(0.02, abs=0.001)


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.sampled_from([5.0, 10.0, 25.0]), st.floats(0.05, 0.4))
def test_a_lag_lies_within_what_was_looked_at(seed: int, rate: float, step: float) -> None:
    """Whatever lips and cheeks do: here both go anywhere."""
    chance, times = np.random.default_rng(seed), sampled(40, rate, jitter=0.3, seed=seed)
    acted = smile_table(times)
    for name in list(acted)[1:]:
        walk = np.cumsum(chance.normal(0, step, len(times)))
        acted[name] = (np.abs(walk) % 1.0).astype(np.float32)
    for smile in find_smiles(with_hole(acted, 10, 11)):
        lag = smile.marker.lag
        assert lag is None or abs(lag) <= smile.apex_end - smile.start + BEFORE


def test_what_was_not_seen_is_not_told() -> None:
    table = with_hole(smile_table(sampled(10, 25)), 2.0, 3.3)
    (smile,) = find_smiles(table)
    assert smile.cut
    assert smile.onset_speed is None
    assert smile.marker.verdict == CANNOT_TELL
    assert smile.marker.likeness is None
    assert smile.marker.uncertainty == 0.5
    short = with_hole(
        smile_table(sampled(10, 50), up=0.8), 2.6, 3.2
    )  # rest before, and most of the onset
    assert find_smiles(short)[0].marker.why == "The start of the smile was not seen."
    slow = smile_table(sampled(10, 3))
    assert find_smiles(slow)[0].marker.verdict == CANNOT_TELL


def test_a_short_hole_is_bridged_and_a_long_one_cuts() -> None:
    table = smile_table(sampled(10, 25))
    assert len(find_smiles(with_hole(table, 4.0, 4.3))) == 1
    before, after = find_smiles(with_hole(table, 4.0, 4.9))
    assert before.end < 4.01
    assert after.start > 4.89
    assert before.cut
    assert after.cut


@given(st.floats(-0.05, 0.05), st.floats(-0.5, 0.5), st.floats(0.0, 1.0))
def test_more_of_a_sign_never_makes_it_less_likely(cheek: float, eye: float, more: float) -> None:
    less = judge((cheek, 0.001), (eye, 0.01), 0.0, 0.04).likeness
    stronger = judge((cheek + more * 0.05, 0.001), (eye + more, 0.01), 0.0, 0.04).likeness
    assert less is not None
    assert stronger is not None
    assert stronger >= less


def test_sides_swap_when_the_film_is_mirrored() -> None:
    table = smile_table(sampled(10, 25))
    table["lip_left"] = table["lip_left"] * np.float32(0.6)
    swapped = table | {"lip_left": table["lip_right"], "lip_right": table["lip_left"]}
    assert find_smiles(table)[0].asymmetry == pytest.approx(-0.25, abs=0.01)
    assert find_smiles(swapped)[0].asymmetry == pytest.approx(0.25, abs=0.01)


def test_a_smile_is_above_the_persons_own_rest() -> None:
    table = smile_table(sampled(10, 25))
    for side in ("lip_left", "lip_right"):
        table[side] = table[side] * np.float32(0.25) + np.float32(0.2)
    assert len(find_smiles(table)) == 1, "0.2 to 0.4: above the level by itself"
    assert not find_smiles(table, rest=0.2)
    assert SMILE_OFF < SMILE_ON
