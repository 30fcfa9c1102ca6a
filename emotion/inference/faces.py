"""Finding faces: BlazeFace (short range), 128 x 128 pixels.

Anchors, decoding and weighted non-maximum suppression follow MediaPipe's short-range face detector
(Bazarevsky et al. 2019, "BlazeFace"): strides 8, 16, 16, 16 give (16 x 16) x 2 + (8 x 8) x 6 = 896 anchors
of fixed size; boxes and six key points are offsets from the anchor centre in units of 128 pixels. The
detector is run on the whole image and on overlapping tiles of half its side.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from emotion.inference.arrays import Array, Pixels
from emotion.inference.pictures import Picture, halved, pixels_of, resampled, scaled
from emotion.inference.sessions import run

SIZE = 128
SCORE_AT_LEAST = 0.5
# Ten looks at a picture find ten times as many things that are no faces: measured, a badge scored 0.72
# in a tile, faces of a size that the whole image misses 0.86 and more.
SCORE_IN_TILES = 0.75
SAME_FACE_IOU = 0.3
SAME_FACE_COVERED = 0.5
# Twice what the tiles are looked at with: more pixels would be averaged away again.
LOOKED_AT = 4 * SIZE


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
    if width != height:
        below, right = side - height - top, side - width - left
        pixels = pixels_of(cv2.copyMakeBorder(pixels, top, below, left, right, cv2.BORDER_CONSTANT))
    tensor = resampled(pixels, (SIZE, SIZE))[None].astype(np.float32)
    tensor /= 127.5
    tensor -= 1.0
    return tensor, side, np.array([left, top], dtype=np.float32)


def tiles(width: int, height: int) -> list[tuple[int, int, int, int]]:
    """Where to look, as (left, top, right, bottom): the whole image, then tiles of half its longer side.

    The detector finds faces from about a seventh of its input's side; the tiles halve that, so that a
    person a few steps away is found, and a second person is not overlooked.
    """
    side = max(width, height) // 2
    found = [(0, 0, width, height)]
    for top in starts(height, side):
        for left in starts(width, side):
            found.append((left, top, min(left + side, width), min(top + side, height)))
    return found


def starts(length: int, side: int) -> list[int]:
    """Where tiles begin along one axis: evenly spread, overlapping by half, the last one flush."""
    spare = length - side
    if spare <= 0:
        return [0]
    steps = -(-spare // (side // 2))
    return [round(spare * step / steps) for step in range(steps + 1)]


def find_faces(picture: Picture, *, closer: bool = True) -> list[Face]:
    """All faces in a picture, the largest first.

    ``closer``: look at its parts as well, which finds faces half as large for ten times the work.
    """
    small, scale = reduced(picture, closer=closer)
    size = (small.shape[1], small.shape[0])
    found: list[Face] = []
    for left, top, right, bottom in tiles(*size) if closer else [(0, 0, *size)]:
        corner = np.array([left, top], dtype=np.float32)
        least = SCORE_AT_LEAST if (right - left, bottom - top) == size else SCORE_IN_TILES
        for face in faces_in(small[top:bottom, left:right], least):
            box = (face.box.reshape(2, 2) + corner).reshape(4)
            found.append(Face(box * scale, (face.points + corner) * scale, face.score))
    return distinct(found)


def reduced(picture: Picture, *, closer: bool) -> tuple[Pixels, float]:
    """The picture as small as the detector needs it, and by how much its sides were divided.

    Area averaging, because sampling alone would alias when a large photograph shrinks. Halving comes
    first, as far as it goes evenly: it averages the same pixels in a tenth of the time.
    """
    (height, width), least, times = picture.shape[:2], LOOKED_AT if closer else 2 * SIZE, 0
    while max(height, width) >> times >= 2 * least and not (height >> times | width >> times) & 1:
        times += 1
    small = halved(picture, times)
    rest = max(small.shape) / LOOKED_AT
    if rest <= 1:
        return small, 2.0**times
    size = (round(small.shape[1] / rest), round(small.shape[0] / rest))
    return scaled(small, size), 2.0**times * rest


def distinct(faces: list[Face]) -> list[Face]:
    """One of each face that several tiles found: the surest, the largest first."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: -face.score):
        if not any(covered(face.box, other.box) > SAME_FACE_COVERED for other in kept):
            kept.append(face)
    return sorted(kept, key=lambda face: -face.size)


def covered(one: Array, other: Array) -> float:
    """The share of the smaller box that lies in the other: 1 where a part of a face was found as well."""
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    areas = min((one[2:] - one[:2]).prod(), (other[2:] - other[:2]).prod())
    return float(np.clip(sides, 0, None).prod() / max(areas, 1e-9))


def faces_in(pixels: Pixels, least: float = SCORE_AT_LEAST) -> list[Face]:
    """The faces that one run of the detector finds in a part of an image, in that part's pixels."""
    tensor, side, padding = square_input(pixels)
    regressors, logits = run("face_detector.onnx", tensor)
    scores = (1.0 / (1.0 + np.exp(-np.clip(logits[0, :, 0], -80, 80)))).astype(np.float32)
    sure = scores >= least
    if not sure.any():
        return []
    raw, centres = regressors[0][sure] / SIZE, anchors()[sure]
    middle, half = raw[:, :2] + centres, raw[:, 2:4] / 2
    boxes = np.concatenate([middle - half, middle + half], axis=1)
    points = raw[:, 4:].reshape(-1, 6, 2) + centres[:, None]
    return [
        Face(
            box=(box.reshape(2, 2) * side - padding).reshape(4),
            points=where * side - padding,
            score=score,
        )
        for box, where, score in weighted_nms(boxes, points, scores[sure])
    ]


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
