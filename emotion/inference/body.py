"""17 points of a body (MoveNet SinglePose Lightning), for how much somebody moves.

The model finds one person, the one nearest to the middle of the picture (its makers' card), and cannot
be told whom. With several people in the picture it must not be asked.
"""

from __future__ import annotations

import cv2
import numpy as np

from emotion.inference.arrays import Array
from emotion.inference.pictures import Picture, scaled
from emotion.inference.sessions import run

SIZE = 192
POINTS = (
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
)
"""COCO's 17 key points; left is the person's own."""


def find_body(picture: Picture) -> Array:
    """The points of the person in a picture: (17, 3).

    Columns: x from the left and y from the top, both as a share of the picture's longer side, and the
    model's certainty from 0 to 1. A point that is not in the picture is given all the same, with little
    certainty.
    """
    height, width = picture.shape[:2]
    scale = SIZE / max(height, width)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    small = scaled(picture, size)
    left, top = (SIZE - size[0]) // 2, (SIZE - size[1]) // 2
    padded = cv2.copyMakeBorder(
        small, top, SIZE - size[1] - top, left, SIZE - size[0] - left, cv2.BORDER_CONSTANT
    )
    found = run("movenet_lightning.onnx", padded[None].astype(np.int32))[0].reshape(17, 3)
    shift = np.array([left / SIZE, top / SIZE, 0], np.float32)
    points: Array = found[:, [1, 0, 2]] - shift
    return points
