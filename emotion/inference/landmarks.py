"""478 facial landmarks, iris included, from a levelled crop around a face (MediaPipe Face Mesh V2)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from emotion.inference.arrays import Array
from emotion.inference.faces import Face
from emotion.inference.pictures import Picture, warped
from emotion.inference.sessions import run

SIZE = 256
CROP_SCALE = 1.5
PRESENCE_AT_LEAST = 0.5
CELLS = 3
"""Which of the model's outputs is the inner layer; 2 is not used."""
SHARE = np.float32(1 / 255)
"""What the model takes of each value of a pixel."""


@dataclass(frozen=True)
class Landmarks:
    """points: (478, 3) in image pixels, z in the same unit, smaller is nearer. presence: 0 to 1.

    cells: (128, 4, 4), an inner layer of the model over 4 x 4 parts of the crop, for ``occlusion``.
    """

    points: Array
    presence: float
    cells: Array

    @cached_property
    def face(self) -> Face:
        """The face that they lie on, from which the next frame's crop is made.

        The box around all points and the outer corners of the eyes, as MediaPipe tracks; the other key
        points are not filled in.
        """
        points = np.zeros((6, 2), np.float32)
        points[:2] = self.points[[33, 263], :2]
        # Side by side in memory, extremes are found in a third of the time.
        sides = self.points[:, :2].T.copy()
        box = np.concatenate([sides.min(axis=1), sides.max(axis=1)])
        return Face(box, points, self.presence)


def crop_matrix(face: Face) -> Array:
    """The affine map (2, 3) from image pixels to the crop: box x 1.5, square, eye line level."""
    (right_x, right_y), (left_x, left_y) = face.points[:2].tolist()
    left, top, right, bottom = face.box.tolist()
    angle = math.atan2(left_y - right_y, left_x - right_x)
    x, y = (left + right) / 2, (top + bottom) / 2
    scale = SIZE / (max(right - left, bottom - top) * CROP_SCALE)
    cos, sin, middle = math.cos(angle) * scale, math.sin(angle) * scale, SIZE / 2
    return np.array(
        [[cos, sin, middle - cos * x - sin * y], [-sin, cos, middle + sin * x - cos * y]],
        dtype=np.float32,
    )


def find_landmarks(picture: Picture, face: Face) -> Landmarks | None:
    """The landmarks of a face in a picture; None when the model sees no face in the crop."""
    matrix = crop_matrix(face)
    crop = warped(picture, matrix, SIZE)[None].astype(np.float32)
    crop *= SHARE
    outputs = run("face_landmarks.onnx", crop)
    presence = float(1.0 / (1.0 + np.exp(-outputs[1].reshape(-1)[0])))
    if presence < PRESENCE_AT_LEAST:
        return None
    points = back_from(outputs[0].reshape(478, 3), matrix)
    return Landmarks(points, presence, outputs[CELLS][0])


def back_from(points: Array, matrix: Array) -> Array:
    """Points (n, 3) of a crop in image pixels, depth included; matrix (2, 3): from image to crop."""
    back = cv2.invertAffineTransform(matrix)
    turn = np.zeros((3, 3), np.float32)
    turn[:2, :2], turn[2, 2] = back[:, :2].T, math.hypot(*back[:, 0])
    moved: Array = points @ turn
    moved[:, :2] += back[:, 2]
    return moved
