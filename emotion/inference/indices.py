"""Two indices drawn from the seven expression probabilities. They are called indices, not measurements.

Neither was validated against ratings of valence or arousal: they say in one number what the seven say, so
that a line can be drawn over time.
"""

from __future__ import annotations

import numpy as np

from emotion.inference.arrays import Array
from emotion.inference.labels import LABELS

VALENCE = "p(happy) - the largest of p(angry), p(disgust), p(fear), p(sad)"
ACTIVATION = "1 - p(neutral)"
HAPPY, NEUTRAL = LABELS.index("happy"), LABELS.index("neutral")
NEGATIVE = [LABELS.index(label) for label in ("angry", "disgust", "fear", "sad")]


def valence_index(probabilities: Array) -> Array:
    """``VALENCE`` of probabilities (..., 7): (...), -1 to 1; NaN stays NaN."""
    found: Array = probabilities[..., HAPPY] - probabilities[..., NEGATIVE].max(axis=-1)
    return found


def activation_index(probabilities: Array) -> Array:
    """``ACTIVATION`` of probabilities (..., 7): (...), 0 to 1; NaN stays NaN.

    How far from neutral the expression looked. Surprise is in it whether it was pleasant or not.
    """
    found: Array = np.float32(1.0) - probabilities[..., NEUTRAL]
    return found
