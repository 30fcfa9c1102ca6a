"""Whole-number noise for figures about a group: the discrete Laplace distribution, drawn exactly.

Canonne, Kamath and Steinke, "The Discrete Gaussian for Differential Privacy" (NeurIPS 2020), algorithm 2.
It uses whole numbers and the operating system's randomness only: the last bits of noise made with
floating-point numbers tell what it was added to (Mironov, CCS 2012).
"""

from __future__ import annotations

from fractions import Fraction
from math import exp
from secrets import randbelow


def laplace(epsilon: Fraction) -> int:
    """A whole number x with a probability proportional to exp(-epsilon * abs(x)); epsilon above 0."""
    size, within = epsilon.denominator, epsilon.numerator
    while True:
        low = randbelow(size)
        if not happens_exp(Fraction(low, size)):
            continue
        high = 0
        while happens_exp(Fraction(1)):
            high += 1
        found = (low + size * high) // within
        negative = happens(Fraction(1, 2))
        if not (negative and found == 0):  # nought would come twice as often
            return -found if negative else found


def happens(probability: Fraction) -> bool:
    """True with a probability of 0 to 1, exactly."""
    return randbelow(probability.denominator) < probability.numerator


def happens_exp(gamma: Fraction) -> bool:
    """True with a probability of exp(-gamma), exactly; gamma from 0 to 1. Algorithm 1 of the same paper."""
    tries = 1
    while happens(gamma / tries):
        tries += 1
    return tries % 2 == 1


def within(epsilon: Fraction, coverage: float = 0.95) -> int:
    """The smallest number that the noise exceeds, up or down, no more often than 1 - coverage."""
    step = exp(-float(epsilon))
    beyond, bound = 2 * step / (1 + step), 0
    while beyond > 1 - coverage:
        beyond, bound = beyond * step, bound + 1
    return bound
