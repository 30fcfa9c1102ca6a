"""The test photograph in several versions, made alike for the tests and for MediaPipe's vectors."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from emotion.inference.arrays import Pixels
from tests.emotion.inference.photographs import pixels


def mirrored() -> Pixels:
    return np.ascontiguousarray(pixels()[:, ::-1])


def scaled(factor: float) -> Pixels:
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return cv2.resize(pixels(), None, fx=factor, fy=factor, interpolation=method)


def tilted(degrees: float) -> Pixels:
    matrix = cv2.getRotationMatrix2D((224, 125), degrees, 1.0)
    return cv2.warpAffine(pixels(), matrix, (512, 512), borderMode=cv2.BORDER_REPLICATE)


def squeezed(factor: float) -> Pixels:
    """Narrower by a factor: a face half turned, as far as one photograph can show one."""
    return cv2.resize(pixels(), None, fx=factor, fy=1.0, interpolation=cv2.INTER_AREA)


def lit(gain: float) -> Pixels:
    return np.clip(pixels() * gain, 0, 255).astype(np.uint8)


VERSIONS: dict[str, Callable[[], Pixels]] = {
    "as it is": lambda: pixels().copy(),
    "mirrored": mirrored,
    "scaled 0.7": lambda: scaled(0.7),
    "scaled 2": lambda: scaled(2.0),
    "tilted 20": lambda: tilted(20),
    "tilted -35": lambda: tilted(-35),
    "cut to the left": lambda: np.ascontiguousarray(pixels()[:300, 60:360]),
    "wide": lambda: np.ascontiguousarray(pixels()[20:260]),
    "squeezed 0.8": lambda: squeezed(0.8),
    "darker": lambda: lit(0.5),
}
