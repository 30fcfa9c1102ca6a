"""Whether a photograph is good enough to say anything about the face in it: thresholds in one table."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from emotion.inference.arrays import Pixels
from emotion.inference.faces import Face


@dataclass(frozen=True)
class Threshold:
    """The least value of a quality figure, and why it is there."""

    least: float
    status: str
    reason: str


THRESHOLDS = {
    "face_size_px": Threshold(
        48.0, "too-small", "the expression models see 48 to 112 pixels; less is invented detail"
    ),
    "brightness": Threshold(
        0.12, "too-dark", "below, sensor noise outweighs the shading that shows an expression"
    ),
    "sharpness": Threshold(
        8.0, "too-blurred", "variance of the Laplacian at 96 px; below, lids and lips have no edges"
    ),
}


def measure_quality(pixels: Pixels, face: Face) -> dict[str, float]:
    """face_size_px: longer side of the face's box in pixels; brightness: mean luma of the face, 0 to 1;
    sharpness: variance of the Laplacian of the face scaled to 96 x 96, contrast-normalised.
    """
    height, width = pixels.shape[:2]
    left, top = np.clip(face.box[:2], 0, [width - 1, height - 1]).astype(int)
    right, bottom = np.clip(np.ceil(face.box[2:]), [left + 1, top + 1], [width, height]).astype(int)
    grey = cv2.cvtColor(pixels[top:bottom, left:right], cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (96, 96), interpolation=cv2.INTER_AREA).astype(np.float32)
    spread = max(float(small.std()), 1.0)
    even = (small - small.mean()) * (50.0 / spread)
    return {
        "face_size_px": face.size,
        "brightness": float(small.mean() / 255.0),
        "sharpness": float(cv2.Laplacian(even, cv2.CV_32F).var()),
    }


def verdict(quality: dict[str, float]) -> str:
    """The status of the first figure below its threshold, or "read"."""
    for name, threshold in THRESHOLDS.items():
        if quality[name] < threshold.least:
            return threshold.status
    return "read"
