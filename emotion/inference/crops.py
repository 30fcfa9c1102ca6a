"""The square of a picture that an expression model looks at, and the numbers each model wants it in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from emotion.inference.arrays import Array, Pixels
from emotion.inference.landmarks import Landmarks
from emotion.inference.pictures import Picture, warped

GREY = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601
FINEST = 4
"""How many times as fine as a crop a face is taken at most: measured, more changes nothing, and costs."""


@dataclass(frozen=True)
class Preprocessing:
    """What a model takes: a square of ``size`` pixels, its colours, axes, and value / divide + add.

    ``colour``: "grey", "rgb" or "bgr"; ``layout``: "NHWC" or "NCHW".
    """

    colour: str
    size: int
    layout: str
    divide: float
    add: float

    @classmethod
    def of(cls, stated: dict[str, Any]) -> Preprocessing:
        """As a manifest states it. Raises ValueError, KeyError or TypeError for anything else."""
        found = cls(**stated)
        if found.colour not in {"grey", "rgb", "bgr"} or found.layout not in {"NHWC", "NCHW"}:
            raise ValueError(f"colour {found.colour!r}, layout {found.layout!r}")
        if not (isinstance(found.size, int) and 16 <= found.size <= 512):
            raise ValueError(f"size: expected 16 to 512, got {found.size!r}")
        if not (float(found.divide) > 0 and abs(float(found.add)) <= 255):
            raise ValueError(f"divide {found.divide!r}, add {found.add!r}")
        return found


def prepare(crops: Array, wanted: Preprocessing) -> Array:
    """RGB crops (n, size, size, 3) from 0 to 255 as a model takes them."""
    if wanted.colour == "grey":
        crops = (crops @ GREY)[..., None]
    elif wanted.colour == "bgr":
        crops = crops[..., ::-1]
    scaled = crops / np.float32(wanted.divide) + np.float32(wanted.add)
    if wanted.layout == "NCHW":
        scaled = scaled.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(scaled, dtype=np.float32)


def resized(crops: Pixels, size: int) -> Array:
    """Square RGB crops (n, s, s, 3) at another size, values 0 to 255."""
    if crops.shape[1:3] == (size, size):
        return crops.astype(np.float32)
    flags = cv2.INTER_AREA if crops.shape[1] > size else cv2.INTER_LINEAR
    return np.stack([cv2.resize(crop, (size, size), interpolation=flags) for crop in crops]).astype(
        np.float32
    )


def tight_crop(picture: Picture, landmarks: Landmarks, size: int) -> Array:
    """The levelled square around the face mesh, (size, size, 3), values 0 to 255.

    Of a larger face its pixels are averaged: to pick some would be to hand on all of their noise.
    """
    points = landmarks.points[:468, :2]
    across = points[263] - points[33]  # outer eye corners
    angle = np.arctan2(across[1], across[0])
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    level = points @ turn.T
    low, high = level.min(axis=0), level.max(axis=0)
    extent = float((high - low).max())
    scale = size / extent
    matrix = turn * scale
    shift = size / 2 - (low + high) / 2 * scale
    full = np.concatenate([matrix, shift[:, None]], axis=1).astype(np.float32)
    finer = min(math.ceil(extent / size), FINEST)
    square = warped(picture, full, size, border=cv2.BORDER_REPLICATE, finer=finer)
    return square.astype(np.float32)
