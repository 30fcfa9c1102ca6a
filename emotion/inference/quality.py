"""Whether a picture is good enough to say anything about the face in it: thresholds in one table.

"Measured" below means: on the test photograph, made worse step by step (``docs/models.md`` has the
figures). Light is judged by the brightest parts of a face, not by its mean: a mean would call dark skin a
dark photograph. And of the face alone: a window behind it lies in the corners of its box.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from emotion.inference.arrays import Array, Pixels
from emotion.inference.faces import Face
from emotion.inference.landmarks import Landmarks
from emotion.inference.pictures import Picture, levels_of, luma_of, pixels_of

SHARPNESS_SIDE = 96
BRIGHT_PERCENTILE = 95
BURNT_OUT = 250


@dataclass(frozen=True)
class Threshold:
    """The limit of a quality figure: what abstains beyond it, in which unit, and why there."""

    unit: str
    status: str
    reason: str
    least: float = float("-inf")
    most: float = float("inf")

    def met_by(self, value: float) -> bool:
        """Whether a reading may be made."""
        return self.least <= value <= self.most


THRESHOLDS = {
    "face_size_px": Threshold(
        "pixels",
        "too-small",
        "the expression models were trained on faces of 48 pixels and more; less is invented detail",
        least=48.0,
    ),
    "light": Threshold(
        "95th percentile of the luma in the face's outline, 0 to 1",
        "too-dark",
        "below, sensor noise outweighs the shading of an expression: measured, a plain smile fell from "
        "95 % at 0.26 to 69 % at 0.18 and 49 % at 0.13",
        least=0.15,
    ),
    "burnt_out": Threshold(
        "share of the face's outline at 250 or more of 255, 0 to 1",
        "too-bright",
        "measured, a plain smile fell from 99 % at 0.22 to 74 % at 0.60 and 54 % at 0.66",
        most=0.6,
    ),
    "sharpness": Threshold(
        "variance of the Laplacian at 96 pixels and even contrast",
        "too-blurred",
        "measured, at 14 the landmarks were off by 4 % of the eye distance and a plain smile had fallen "
        "to 50 %, at 9 to 34 %",
        least=15.0,
    ),
    "certainty": Threshold(
        "the landmark model's certainty that it sees a face, 0 to 1",
        "unclear",
        "measured, 0.99 and more for a visible face, 0.57 to 0.97 for one turned upside down or with its "
        "forehead cut off, whose landmarks were wrong",
        least=0.97,
    ),
    "turn_degrees": Threshold(
        "degrees between the face and the camera's axis",
        "turned-away",
        "beyond, half of the face is hidden and its landmarks are the model's guess",
        most=45.0,
    ),
    "covered": Threshold(
        "how much speaks for a cover of mouth or eye, by an inner layer of the landmark model, 0 to 1",
        "covered",
        "measured on drawn covers: 66 % of those that would be read lie above, and 1.5 % of faces as they "
        "are; of masks nearly all, of dark glasses half, of microphones a third",
        most=0.5,
    ),
    "motion": Threshold(
        "face widths per second, from one picture to the next",
        "moving",
        "at an exposure of 1/30 s this smears a face by 0.07 of its width: measured, at 0.08 the landmarks "
        "were off by 3 % of the eye distance and a plain smile had fallen to 83 %, at 0.12 by 5 % and to "
        "37 %; sharpness does not show it, because edges along the movement stay sharp",
        most=2.0,
    ),
}


def measure_quality(
    picture: Picture, face: Face, landmarks: Landmarks | None = None
) -> dict[str, float]:
    """The figures of THRESHOLDS that one picture of a face shows by its pixels and its size.

    landmarks: of the face, within whose outline its light is judged; without them that of its box is.
    """
    grey, levels = luma_of(picture, *part_of(picture, face.box)), levels_of(picture)
    if landmarks is None:
        counts = counted(grey)
    else:
        rows, columns = part_of(picture, landmarks.face.box)
        lit = luma_of(picture, rows, columns)
        outline = landmarks.points[:, :2] - (columns.start, rows.start)
        counts = counted(lit, mask_of(outline, lit.shape))
    return {
        "face_size_px": face.size,
        "light": percentile(counts, levels, BRIGHT_PERCENTILE) / 255.0,
        "burnt_out": float(counts[levels >= BURNT_OUT].sum() / counts.sum()),
        "sharpness": sharpness(grey),
    }


def part_of(picture: Picture, box: Array) -> tuple[slice, slice]:
    """The rows and columns of a picture that a box covers, at least one of each."""
    height, width = picture.shape[:2]
    left, top, right, bottom = box.tolist()
    return inside(top, bottom, height), inside(left, right, width)


def mask_of(points: Array, sides: tuple[int, ...]) -> Pixels:
    """The pixels (H, W) within the outline of points (n, 2); all of them where it covers none."""
    mask = np.zeros(sides[:2], np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.rint(points).astype(np.int32)), 1)
    return mask if mask.any() else np.ones_like(mask)


def counted(grey: Pixels, mask: Pixels | None = None) -> Array:
    """How often each of 256 values occurs in a plane, or in a part of it."""
    found: Array = cv2.calcHist([grey], [0], mask, [256], [0, 256]).reshape(256).astype(np.float32)
    return found


def inside(first: float, last: float, most: int) -> slice:
    """The whole pixels that a box covers along one side of ``most``; at least one."""
    start = int(min(max(first, 0), most - 1))
    return slice(start, min(max(math.ceil(last), start + 1), most))


def percentile(counts: Array, levels: Pixels, percent: float) -> float:
    """A percentile of ``levels`` (256,), from how often each occurs (256,), as ``numpy.percentile`` has it.

    Counting a face's pixels takes a tenth of the time of sorting them.
    """
    place = (float(counts.sum()) - 1) * percent / 100
    upto = np.cumsum(counts)
    places = np.searchsorted(upto, [np.floor(place) + 1, np.ceil(place) + 1])
    low, high = levels[places].tolist()
    return float(low + (high - low) * (place % 1))


def sharpness(grey: Pixels) -> float:
    """Variance of the Laplacian of a face (H, W), at most 96 pixels high, contrast set to 50 of 255.

    Setting the contrast first would only multiply the Laplacian: it is done last, on one number.
    """
    reduced, factor = grey, SHARPNESS_SIDE / max(grey.shape)
    if factor < 1:  # a smaller face is not enlarged: that would look like blur
        rows, columns = (max(1, round(side * factor)) for side in grey.shape)
        reduced = pixels_of(cv2.resize(grey, (columns, rows), interpolation=cv2.INTER_AREA))
    edges = cv2.Laplacian(reduced, cv2.CV_16S)
    return (deviation(edges) * 50.0 / max(deviation(reduced), 1.0)) ** 2


def deviation(values: NDArray[Any]) -> float:
    """The standard deviation of one channel (H, W)."""
    return float(cv2.meanStdDev(values)[1].item())


def motion(before: Array, after: Array, seconds: float) -> float:
    """How fast a face moved between two pictures, in its widths per second: the median of all its points.

    before, after: landmarks (478, 3) in pixels of two pictures of one size; seconds: between them, above 0.
    """
    width = max(float(np.ptp(after[:, 0])), 1e-6)
    moved = np.sort(np.hypot(*(after - before)[:, :2].T))
    median = float(moved[(len(moved) - 1) // 2] + moved[len(moved) // 2]) / 2
    return median / width / seconds


def verdict(quality: dict[str, float]) -> str:
    """The status of the first figure beyond its threshold, or "read"."""
    for name, value in quality.items():
        if not THRESHOLDS[name].met_by(value):
            return THRESHOLDS[name].status
    return "read"
