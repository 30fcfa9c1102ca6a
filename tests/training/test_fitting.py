"""The fits of the calibration find what seeded votes were made with, and folds are fair."""

from __future__ import annotations

import numpy as np
import pytest

from emotion.inference.calibration import tempered
from training.fitting import WAYS, fit_temperature, mixture_weights
from training.sets import SETS
from training.votes import folds_of


def drawn(number: int = 8000) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (n, 4) and truths drawn from them: perfectly calibrated."""
    generator = np.random.default_rng(11)
    scores = generator.normal(0, 1.5, (number, 4))
    chances = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    truth = (generator.random((number, 1)) > chances.cumsum(1)).sum(1)
    return chances, np.minimum(truth, 3)


@pytest.mark.parametrize("temperature", [0.6, 1.0, 1.7])
def test_the_temperature_is_found_again(temperature: float) -> None:
    chances, truth = drawn()
    too_sure = tempered(chances, 1 / temperature)
    assert fit_temperature(too_sure, truth) == pytest.approx(temperature, rel=0.05)


def test_the_weight_of_a_model_that_knows_nothing_goes() -> None:
    chances, truth = drawn()
    nothing = np.random.default_rng(12).dirichlet(np.ones(4), len(truth))
    found = mixture_weights(np.stack([chances, nothing]), truth)
    assert found.sum() == pytest.approx(1)
    assert found[0] > 0.95


@pytest.mark.parametrize("name", WAYS)
def test_every_way_gives_probabilities_and_learns_nothing_from_the_others(name: str) -> None:
    chances, truth = drawn(2000)
    votes = np.stack([chances, tempered(chances, 2.0)])
    found = WAYS[name](votes[:, :1500], truth[:1500], votes[:, 1500:])
    assert found.shape == (500, 4)
    assert np.allclose(found.sum(1), 1)
    again = WAYS[name](votes[:, :1500], truth[:1500], votes[:, 1500:1501])
    assert np.allclose(found[:1], again)


def test_vector_scaling_undoes_a_shift_of_one_class() -> None:
    chances, truth = drawn()
    shifted = chances * np.array([5.0, 1, 1, 1])
    shifted /= shifted.sum(1, keepdims=True)
    votes = shifted[None]
    found = WAYS["arithmetic mean, vector scaling"](votes, truth, votes)
    assert np.abs(found.mean(0) - chances.mean(0)).max() < 0.01
    assert np.abs(shifted.mean(0) - chances.mean(0)).max() > 0.1


@pytest.mark.parametrize("name", SETS)
def test_every_kind_of_set_covers_what_it_promises(name: str) -> None:
    chances, truth = drawn()
    sets = SETS[name](chances[:4000], truth[:4000], chances[4000:], 0.9)
    covered = sets[np.arange(4000), truth[4000:]].mean()
    assert covered > 0.9 - 4 * np.sqrt(0.9 * 0.1 * (2 / 4000))
    assert sets.sum(1).min() >= 1


def test_every_class_is_in_every_fold() -> None:
    truth = np.repeat([0, 1, 2], [100, 30, 12])
    folds = folds_of(truth, 10)
    for label, least in ((0, 10), (1, 3), (2, 1)):
        assert np.bincount(folds[truth == label], minlength=10).min() >= least
    assert (folds == folds_of(truth, 10)).all()
