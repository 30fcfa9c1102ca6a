"""The seven classes of apparent expression, in the order in which every array here has them."""

from __future__ import annotations

LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
