"""Probabilities, sets and "cannot tell": on seeded votes whose truth is known, and on the pack itself."""

from __future__ import annotations

import json

import numpy as np
import pytest

from emotion.inference.calibration import (
    Calibration,
    class_thresholds,
    prediction_sets,
    tempered,
)
from emotion.inference.expressions import (
    SET_TOO_LARGE,
    expression_pack,
    expression_part,
    find_expression,
)
from emotion.inference.faces import find_faces
from emotion.inference.labels import LABELS
from emotion.inference.landmarks import find_landmarks
from emotion.inference.models import BUILT_IN
from tests.emotion.inference.photographs import pixels

STATED = json.loads((BUILT_IN / "calibration.json").read_text())


def drawn(number: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Votes that favour the truth, less so for some classes, and the truth: frequent and rare classes."""
    generator = np.random.default_rng(seed)
    truth = generator.choice(7, number, p=[0.05, 0.05, 0.1, 0.3, 0.2, 0.1, 0.2])
    scores = generator.normal(0, 1, (number, 7))
    scores[np.arange(number), truth] += np.array([0.6, 2.0, 0.5, 3.0, 1.0, 2.0, 1.5])[truth]
    return tempered(np.exp(scores) / np.exp(scores).sum(1, keepdims=True), 1.0), truth


def test_sets_cover_each_class_as_often_as_stated() -> None:
    known, known_truth = drawn(6000, 1)
    other, truth = drawn(6000, 2)
    for coverage in (0.8, 0.9):
        thresholds = class_thresholds(known, known_truth, coverage)
        sets = prediction_sets(other, thresholds)  # and the likeliest class, which only adds
        assert (sets[np.arange(len(truth)), truth]).mean() >= coverage
        held = (other >= thresholds)[np.arange(len(truth)), truth]
        for label in range(7):
            of = (truth == label).sum()
            spread = 4 * np.sqrt(
                coverage * (1 - coverage) * (1 / of + 1 / (known_truth == label).sum())
            )
            assert abs(held[truth == label].mean() - coverage) < spread, label
    one_bound = np.quantile(known[np.arange(6000), known_truth], 0.1)
    alike = prediction_sets(other, np.full(7, one_bound))[np.arange(len(truth)), truth]
    assert alike[truth == 2].mean() < 0.85, "one bound for all would leave the hard class uncovered"


def test_a_threshold_is_the_smallest_probability_that_covers() -> None:
    probabilities = np.zeros((9, 2))
    probabilities[:, 0] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    truth = np.zeros(9, int)
    # ceil(10 * 0.8) = 8th largest of nine; ceil(10 * 0.9) = 9th, the smallest.
    assert class_thresholds(probabilities, truth, 0.8)[0] == 0.2
    assert class_thresholds(probabilities, truth, 0.9)[0] == 0.1
    assert class_thresholds(probabilities, truth, 0.95)[0] == 0.0, "too few to exclude anything"
    assert class_thresholds(probabilities, truth, 0.9)[1] == 0.0, "a class nobody showed stays in"


def test_a_set_is_never_empty_and_a_temperature_keeps_the_order() -> None:
    probabilities, _truth = drawn(200, 3)
    sets = prediction_sets(probabilities, np.full(7, 1.0))
    assert (sets.sum(1) == 1).all()
    assert (sets.argmax(1) == probabilities.argmax(1)).all()
    warm = tempered(probabilities, 1.5)
    assert np.allclose(warm.sum(1), 1)
    assert (warm.argsort(1) == probabilities.argsort(1)).all()
    assert (warm.max(1) < probabilities.max(1)).all()
    assert np.allclose(tempered(np.array([[0.8, 0.2]]), 2.0), [[2 / 3, 1 / 3]])


def part_of(**shares: float) -> dict[str, object]:
    rest = (1 - sum(shares.values())) / (7 - len(shares))
    values = np.array([shares.get(label, rest) for label in LABELS], np.float32)
    return expression_part(values, expression_pack())


def test_one_or_two_classes_are_named_and_more_are_not() -> None:
    one = part_of(happy=0.97)
    assert (one["top"], one["set"], one["abstained"], one["reason"]) == (
        "happy",
        ["happy"],
        False,
        None,
    )
    two = part_of(sad=0.6, fear=0.36)
    assert (two["top"], two["set"]) == ("sad", ["sad", "fear"])
    many = part_of(sad=0.3, fear=0.3, angry=0.3)
    assert many["top"] is None
    assert many["abstained"] is True
    assert many["reason"] == SET_TOO_LARGE
    assert set(many["set"]) == {"sad", "fear", "angry"}
    assert "Cannot tell: 3 of 7 classes fit at 90% coverage" in str(many["explanation"])


def test_every_answer_names_the_data_and_that_it_does_not_travel() -> None:
    part = part_of(happy=0.97)
    assert part["coverage"] == STATED["sets"]["coverage"] == 0.9
    assert part["calibrated_on"] == STATED["data"] == "FER2013, validation part"
    assert part["calibrated_at"] == STATED["date"]
    assert "another camera" in str(part["caveat"])
    assert str(part["calibrated_on"]) in str(part["caveat"])
    assert part["right_when_named"] == STATED["abstain"]["right"]
    assert expression_pack().title == part["pack"]


def test_probabilities_are_the_tempered_mean_of_the_models() -> None:
    (face,) = find_faces(pixels())
    landmarks = find_landmarks(pixels(), face)
    assert landmarks is not None
    found = find_expression(pixels(), landmarks)
    assert found.shape == (len(LABELS),)
    assert found.sum() == pytest.approx(1)
    assert 0.97 < found[LABELS.index("happy")] < 0.999, "the temperature evens 0.999 out"


def changed(**values: object) -> dict[str, object]:
    return STATED | values


@pytest.mark.parametrize(
    "stated",
    [
        changed(temperature=0),
        changed(data=""),
        changed(sets=STATED["sets"] | {"coverage": 1.0}),
        changed(sets=STATED["sets"] | {"thresholds": {"happy": 0.1}}),
        changed(sets=STATED["sets"] | {"thresholds": dict.fromkeys(LABELS, 1.5)}),
        changed(abstain=STATED["abstain"] | {"most_in_set": 7}),
        changed(abstain=STATED["abstain"] | {"right": [0.8, 0.9, 0.95]}),
    ],
)
def test_a_calibration_that_makes_no_sense_is_refused(stated: dict[str, object]) -> None:
    Calibration.of(STATED, LABELS)
    with pytest.raises(ValueError, match="expected"):
        Calibration.of(stated, LABELS)
