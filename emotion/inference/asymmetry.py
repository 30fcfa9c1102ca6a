"""How unevenly the two sides of a face move: (left - right) / (left + right) of paired blendshapes."""

from __future__ import annotations

import numpy as np

from emotion.inference.arrays import Array
from emotion.inference.blendshapes import NAMES

FORMULA = "(left - right) / (left + right), where left + right is 0.1 or more"
FLOOR = 0.1
"""Below, the ratio would be one of noise: a convention, a twentieth of both sides' full movement."""
# jaw and mouth: left and right are two directions there. eyeLookIn and eyeLookOut: eyes look one way
# together, so the difference of the sides is the gaze.
NO_PAIRS = {"jaw", "mouth", "eyeLookIn", "eyeLookOut"}
PAIRS = tuple(
    stem
    for stem in dict.fromkeys(name.removesuffix("Left") for name in NAMES if name.endswith("Left"))
    if stem not in NO_PAIRS
)
"""Names without side of the movements that a face makes on each side."""
LEFT = [NAMES.index(f"{stem}Left") for stem in PAIRS]
RIGHT = [NAMES.index(f"{stem}Right") for stem in PAIRS]


def asymmetry(left: Array, right: Array) -> Array:
    """``FORMULA`` of two arrays of one shape: -1 only the person's right moves, 1 only the left, else
    NaN."""
    both = left + right
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Array = np.where(both >= FLOOR, (left - right) / both, np.nan)
    return found


def blendshape_asymmetry(blendshapes: Array) -> Array:
    """The asymmetry of each pair, (..., 16) in the order of ``PAIRS``, from blendshapes (..., 52)."""
    return asymmetry(blendshapes[..., LEFT], blendshapes[..., RIGHT])
