"""The noise of figures about a group, against the probabilities that it must have."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from math import exp

import pytest

from emotion.noise import happens, happens_exp, laplace, within

DRAWN = 20_000
EPSILONS = [Fraction(1, 2), Fraction(1), Fraction(2), Fraction(1, 3), Fraction(7, 5)]


def probability(x: int, epsilon: Fraction) -> float:
    """Of the discrete Laplace distribution, by its definition."""
    step = exp(-float(epsilon))
    return (1 - step) / (1 + step) * step ** abs(x)


@pytest.mark.parametrize("epsilon", EPSILONS)
def test_each_number_comes_as_often_as_it_must(epsilon: Fraction) -> None:
    """Chi-squared; with six numbers or more, 12 standard deviations above its mean are one in 10^7."""
    drawn = Counter(laplace(epsilon) for _each in range(DRAWN))
    expected = {x: DRAWN * probability(x, epsilon) for x in range(-60, 61)}
    expected = {x: number for x, number in expected.items() if number >= 10}
    tail = DRAWN - sum(expected.values())
    beyond = DRAWN - sum(drawn[x] for x in expected)
    off = sum((drawn[x] - number) ** 2 / number for x, number in expected.items())
    off += (beyond - tail) ** 2 / tail
    free = len(expected)
    assert free > 5
    assert off < free + 12 * (2 * free) ** 0.5


@pytest.mark.parametrize("epsilon", EPSILONS)
def test_within_is_the_smallest_such_number(epsilon: Fraction) -> None:
    def outside(bound: int) -> float:
        return sum(2 * probability(x, epsilon) for x in range(bound + 1, 400))

    bound = within(epsilon)
    assert outside(bound) <= 0.05
    assert bound == 0 or outside(bound - 1) > 0.05
    assert within(epsilon, 0.999) > bound


def test_half_an_epsilon_is_within_six() -> None:
    """The number that docs/group-figures.md and the page name."""
    assert within(Fraction(1, 2)) == 6


def test_what_happens_surely_or_never() -> None:
    assert not any(happens(Fraction(0)) for _each in range(100))
    assert all(happens(Fraction(1)) for _each in range(100))
    assert all(happens_exp(Fraction(0)) for _each in range(100))


def test_e_to_the_minus_gamma() -> None:
    for gamma in (Fraction(1, 4), Fraction(1)):
        share = sum(happens_exp(gamma) for _each in range(DRAWN)) / DRAWN
        assert abs(share - exp(-float(gamma))) < 0.025  # seven standard deviations
