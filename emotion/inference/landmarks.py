"""478 facial landmarks, iris included, from a levelled crop around a face (MediaPipe Face Mesh V2)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from emotion.inference.arrays import Array, Pixels
from emotion.inference.faces import Face
from emotion.inference.sessions import run

SIZE = 256
CROP_SCALE = 1.5
PRESENCE_AT_LEAST = 0.5
SHARES = np.arange(256, dtype=np.float32) / 255.0
"""What the model takes for each value of a pixel; looked up, because dividing takes three times as long."""


@dataclass(frozen=True)
class Landmarks:
    """points: (478, 3) in image pixels, z in the same unit, smaller is nearer. presence: 0 to 1."""

    points: Array
    presence: float

    @cached_property
    def face(self) -> Face:
        """The face that they lie on, from which the next frame's crop is made.

        The box around all points and the outer corners of the eyes, as MediaPipe tracks; the other key
        points are not filled in.
        """
        flat = self.points[:, :2]
        points = np.zeros((6, 2), np.float32)
        points[:2] = flat[[33, 263]]
        box = np.concatenate([flat.min(axis=0), flat.max(axis=0)])
        return Face(box, points, self.presence)


def crop_matrix(face: Face) -> Array:
    """The affine map (2, 3) from image pixels to the crop: box x 1.5, square, eye line level."""
    right_eye, left_eye = face.points[0], face.points[1]
    angle = np.arctan2(left_eye[1] - right_eye[1], left_eye[0] - right_eye[0])
    centre = (face.box[:2] + face.box[2:]) / 2
    scale = SIZE / (face.size * CROP_SCALE)
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    turn = np.array([[cos, sin], [-sin, cos]], dtype=np.float32)
    shift = np.array([SIZE / 2, SIZE / 2], dtype=np.float32) - turn @ centre
    return np.concatenate([turn, shift[:, None]], axis=1).astype(np.float32)


def find_landmarks(pixels: Pixels, face: Face) -> Landmarks | None:
    """The landmarks of a face in an RGB image; None when the model sees no face in the crop."""
    matrix = crop_matrix(face)
    crop = cv2.warpAffine(pixels, matrix, (SIZE, SIZE), flags=cv2.INTER_LINEAR)
    outputs = run("face_landmarks.onnx", cv2.LUT(crop, SHARES)[None].astype(np.float32, copy=False))
    presence = float(1.0 / (1.0 + np.exp(-outputs[1].reshape(-1)[0])))
    if presence < PRESENCE_AT_LEAST:
        return None
    in_crop = outputs[0].reshape(478, 3)
    back = cv2.invertAffineTransform(matrix)
    flat = in_crop[:, :2] @ back[:, :2].T + back[:, 2]
    depth = in_crop[:, 2:] * np.linalg.norm(back[:, 0])
    return Landmarks(np.concatenate([flat, depth], axis=1).astype(np.float32), presence)
