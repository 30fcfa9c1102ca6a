"""Finding faces: BlazeFace (short range), 128 x 128 pixels.

Anchors, decoding and weighted non-maximum suppression follow MediaPipe's short-range face detector
(Bazarevsky et al. 2019, "BlazeFace"): strides 8, 16, 16, 16 give (16 x 16) x 2 + (8 x 8) x 6 = 896 anchors
of fixed size; boxes and six key points are offsets from the anchor centre in units of 128 pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from emotion.inference.arrays import Array, Pixels
from emotion.inference.sessions import run

SIZE = 128
SCORE_AT_LEAST = 0.5
SAME_FACE_IOU = 0.3


@dataclass(frozen=True)
class Face:
    """One face in image pixels.

    box: (left, top, right, bottom). points: (6, 2): the person's right eye (left in the image), left
    eye, nose tip, mouth, right ear, left ear. score: 0 to 1.
    """

    box: Array
    points: Array
    score: float

    @property
    def size(self) -> float:
        """The longer side of the box in pixels."""
        return float(max(self.box[2] - self.box[0], self.box[3] - self.box[1]))


@cache
def anchors() -> Array:
    """The 896 anchor centres, (896, 2), relative to the square input."""
    found = []
    for cells, per_cell in ((16, 2), (8, 6)):
        steps = (np.arange(cells, dtype=np.float32) + 0.5) / cells
        grid = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
        found.append(np.repeat(grid, per_cell, axis=0))
    return np.concatenate(found)


def square_input(pixels: Pixels) -> tuple[Array, int, Array]:
    """The image padded to a square and scaled to the input: (tensor, side, padding (left, top))."""
    height, width = pixels.shape[:2]
    side = max(height, width)
    left, top = (side - width) // 2, (side - height) // 2
    padded = cv2.copyMakeBorder(
        pixels, top, side - height - top, left, side - width - left, cv2.BORDER_CONSTANT
    )
    # Area averaging, because sampling alone would alias when a large photograph shrinks.
    method = cv2.INTER_AREA if side > SIZE else cv2.INTER_LINEAR
    small = cv2.resize(padded, (SIZE, SIZE), interpolation=method)
    tensor = small[None].astype(np.float32) / 127.5 - 1.0
    return tensor, side, np.array([left, top], dtype=np.float32)


def find_faces(pixels: Pixels) -> list[Face]:
    """All faces in an RGB image (H, W, 3), the largest first."""
    tensor, side, padding = square_input(pixels)
    regressors, logits = run("face_detector.onnx", tensor)
    scores = 1.0 / (1.0 + np.exp(-np.clip(logits[0, :, 0], -80, 80)))
    sure = scores >= SCORE_AT_LEAST
    if not sure.any():
        return []
    raw, centres = regressors[0][sure] / np.float32(SIZE), anchors()[sure]
    middle, half = raw[:, :2] + centres, raw[:, 2:4] / 2
    boxes = np.concatenate([middle - half, middle + half], axis=1)
    points = raw[:, 4:].reshape(-1, 6, 2) + centres[:, None]
    merged = weighted_nms(boxes, points, scores[sure].astype(np.float32))
    faces = [
        Face(
            box=(box.reshape(2, 2) * side - padding).reshape(4),
            points=where * side - padding,
            score=score,
        )
        for box, where, score in merged
    ]
    return sorted(faces, key=lambda face: -face.size)


def overlap(box: Array, others: Array) -> Array:
    """Intersection over union of one box with others."""
    upper = np.maximum(box[:2], others[:, :2])
    lower = np.minimum(box[2:], others[:, 2:])
    inside = np.clip(lower - upper, 0, None).prod(axis=1)
    area = (box[2:] - box[:2]).prod()
    areas = (others[:, 2:] - others[:, :2]).prod(axis=1)
    ratio: Array = inside / np.maximum(area + areas - inside, 1e-9)
    return ratio


def weighted_nms(boxes: Array, points: Array, scores: Array) -> list[tuple[Array, Array, float]]:
    """Merge overlapping detections into their score-weighted mean, as MediaPipe does."""
    merged = []
    left = np.argsort(-scores)
    while left.size:
        best = left[0]
        same = overlap(boxes[best], boxes[left]) > SAME_FACE_IOU
        same[0] = True
        group = left[same]
        weights = scores[group] / scores[group].sum()
        box = (boxes[group] * weights[:, None]).sum(axis=0)
        where = (points[group] * weights[:, None, None]).sum(axis=0)
        merged.append((box, where, float(scores[best])))
        left = left[~same]
    return merged
