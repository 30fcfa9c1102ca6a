"""The fit of the sign of a cover finds what seeded rows were made with, and sets its limit as promised."""

from __future__ import annotations

import numpy as np
import pytest

from training.covers import COVERS, POORER, WORN, Site, plain
from training.occlusion import FALSE_ALARMS, Looks, logistic, with_limit


def made(number: int = 4000) -> Looks:
    """Plain faces and masks whose cells differ along one direction only."""
    generator = np.random.default_rng(5)
    covered = np.arange(number) % 2 == 1
    cells = generator.normal(0, 1, (number, 6))
    cells[:, 2] += 2 * covered
    return Looks(
        kind=np.where(covered, "mask", "plain"),
        source=np.arange(number) // 2,
        status=np.full(number, "read"),
        turn=np.zeros(number),
        light=np.zeros(number),
        cells=cells,
    )


def test_the_regression_finds_the_odds_that_rows_were_drawn_with() -> None:
    generator = np.random.default_rng(4)
    terms = np.concatenate([generator.normal(0, 1, (40_000, 3)), np.ones((40_000, 1))], axis=1)
    known = np.array([1.0, -0.5, 0.0, 0.7])
    truth = generator.random(40_000) < 1 / (1 + np.exp(-terms @ known))
    assert logistic(terms, truth, ridge=1e-6) == pytest.approx(known, abs=0.05)


def test_the_limit_lets_as_many_false_alarms_through_as_it_says() -> None:
    looks = made()
    found = with_limit(looks)
    other = np.random.default_rng(6).normal(0, 1, (20_000, 6))
    alarms = (other @ found.weights + found.bias > 0).mean()
    assert alarms == pytest.approx(FALSE_ALARMS, abs=0.01)
    assert (found.scores(looks)[looks.covered] > 0).mean() > 0.4


def test_rows_that_would_not_be_read_anyway_are_told_apart() -> None:
    looks = made(10)
    looks.status[:4] = "unclear"
    assert len(looks.read.kind) == 6
    assert looks.read.covered.sum() == 3


@pytest.mark.parametrize("kind", [*COVERS, *WORN, *POORER])
def test_a_drawing_is_seeded_and_leaves_the_rest_of_the_picture(kind: str) -> None:
    points = np.random.default_rng(1).uniform(120, 180, (478, 2))
    points[[33, 133, 362, 263, 468, 473]] = [
        (110, 130), (130, 130), (170, 130), (190, 130), (120, 130), (180, 130),
    ]  # fmt: skip
    picture = np.full((300, 300, 3), 120.0)
    drawing = (COVERS | WORN | POORER)[kind]
    one, again = (drawing(Site(picture, points, np.random.default_rng(9))) for _ in range(2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, plain(Site(picture, points, np.random.default_rng(9))))
    assert np.array_equal(picture, np.full((300, 300, 3), 120.0))
    if kind not in POORER:
        assert np.array_equal(one[:20], picture[:20])
