"""Finding faces: BlazeFace (short range), 128 x 128 pixels.

Anchors, decoding and weighted non-maximum suppression follow MediaPipe's short-range face detector
(Bazarevsky et al. 2019, "BlazeFace"): strides 8, 16, 16, 16 give (16 x 16) x 2 + (8 x 8) x 6 = 896 anchors
of fixed size; boxes and six key points are offsets from the anchor centre in units of 128 pixels. The
detector is run on the whole image, on overlapping tiles of half its side and, where these show nobody or
only small faces, on tiles of a quarter.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from emotion.inference.arrays import Array, Pixels
from emotion.inference.pictures import Picture, halved, pixels_of, resampled, scaled, warped
from emotion.inference.sessions import run

SIZE = 128
SCORE_AT_LEAST = 0.5
# Ten looks at a picture find ten times as many things that are no faces: measured, a badge scored 0.72
# in a tile, faces of a size that the whole image misses 0.86 and more.
SCORE_IN_TILES = 0.75
SAME_FACE_IOU = 0.3
SAME_FACE_COVERED = 0.5
# Ways to look: at the whole picture; at its halves as well; and at its quarters where that is not enough.
WHOLE, HALVES, QUARTERS = 1, 2, 4
# The share of the side of what is looked at from which a face is surely found: measured, 28 of 28 from a
# sixth, 21 of them from a seventh.
SURELY_FOUND = 1 / 6
# Sizes of a face to a look around it, so that others are surely found who are a little smaller.
AROUND = 5


@dataclass(frozen=True)
class Face:
    """One face in image pixels.

    box: (left, top, right, bottom). points: (6, 2): the person's right eye (left in the image), left
    eye, nose tip, mouth, right ear, left ear. score: 0 to 1.
    """

    box: Array
    points: Array
    score: float

    @classmethod
    def of_box(cls, box: Array) -> Face:
        """A face of which only the box is known."""
        return cls(np.asarray(box, np.float32), np.zeros((6, 2), np.float32), 1.0)

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


def tiles(width: int, height: int, parts: int) -> list[tuple[int, int, int, int]]:
    """Where to look, as (left, top, right, bottom): tiles whose side is that part of the longer one.

    The detector finds faces from about a seventh of its input's side; tiles of a half halve that, so that a
    person a few steps away is found, and a second person is not overlooked.
    """
    if parts == WHOLE:
        return [(0, 0, width, height)]
    side = max(width, height) // parts
    return [
        (left, top, min(left + side, width), min(top + side, height))
        for top in starts(height, side)
        for left in starts(width, side)
    ]


def starts(length: int, side: int) -> list[int]:
    """Where tiles begin along one axis: evenly spread, overlapping by half, the last one flush."""
    spare = length - side
    if spare <= 0:
        return [0]
    steps = -(-spare // (side // 2))
    return [round(spare * step / steps) for step in range(steps + 1)]


def find_faces(picture: Picture, *, parts: int = QUARTERS) -> list[Face]:
    """All faces in a picture, the largest first.

    parts: WHOLE; or HALVES, which finds faces half as large for ten times the work; or QUARTERS, which goes
    on where the largest is so small, or nobody surely there, that others half as large would be overlooked:
    for forty times the work it finds most faces of 48 pixels in 1280.
    """
    side = max(picture.shape[:2])
    found = search(picture, [WHOLE] if parts == WHOLE else [WHOLE, HALVES])
    sure = [face.size for face in found if face.score >= SCORE_IN_TILES]
    enough = parts < QUARTERS or (bool(sure) and sure[0] >= SURELY_FOUND * side)
    if enough or side < QUARTERS * SIZE:  # in fewer pixels so small a face could not be read
        return found
    return distinct([*found, *search(picture, [QUARTERS])])


def search(picture: Picture, looks: list[int]) -> list[Face]:
    """What the detector finds in the tiles of all these sizes."""
    small, scale = reduced(picture, max(looks))
    height, width = small.shape[:2]
    found: list[Face] = []
    for parts in looks:
        least = SCORE_AT_LEAST if parts == WHOLE else SCORE_IN_TILES
        for left, top, right, bottom in tiles(width, height, parts):
            corner = np.array([left, top], np.float32)
            seen = faces_in(small[top:bottom, left:right], least)
            found += [moved(face, corner, scale) for face in seen]
    return distinct(found)


def find_around(picture: Picture, known: Face) -> list[Face]:
    """The faces beside a known one that are about as large, and the known one itself; the largest first.

    For one so small that a look at the whole picture surely finds neither it nor who stands next to it.
    Pixels are picked and not averaged: measured, that finds the same faces.
    """
    scale = AROUND * known.size / SIZE
    middle = (known.box[:2] + known.box[2:]) / 2
    corner = (middle / scale - SIZE / 2).astype(np.float32)
    matrix = np.array([[1 / scale, 0, -corner[0]], [0, 1 / scale, -corner[1]]], np.float32)
    seen = faces_in(warped(picture, matrix, SIZE))
    return distinct([moved(face, corner, scale) for face in seen])


def moved(face: Face, corner: Array, scale: float) -> Face:
    """A face of a part whose upper left corner is there, in a picture whose sides are so much longer."""
    box = (face.box.reshape(2, 2) + corner).reshape(4)
    return Face(box * scale, (face.points + corner) * scale, face.score)


def reduced(picture: Picture, parts: int) -> tuple[Pixels, float]:
    """The picture as small as these tiles need it, and by how much its sides were divided.

    Area averaging, because sampling alone would alias when a large photograph shrinks. Halving comes
    first, as far as it goes evenly: it averages the same pixels in a tenth of the time.
    """
    # Twice what the tiles are looked at with: more pixels would be averaged away again.
    most, least = max(parts, HALVES) * 2 * SIZE, parts * 2 * SIZE
    (height, width), times = picture.shape[:2], 0
    while max(height, width) >> times >= 2 * least and not (height >> times | width >> times) & 1:
        times += 1
    small = halved(picture, times)
    rest = max(small.shape) / most
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
