"""A pattern stamped into a photograph, and looked for in whatever can be decoded as a picture.

The pattern is one tile of random blocks, repeated over the whole picture in a contrast that leaves the
face readable. It survives what pictures go through: JPEG again, other formats, grey, cropping and
scaling. It is found by folding a picture onto one tile and comparing at every shift, so the place
does not matter. Arrays without a header (what OpenCV and the models take) are looked for by exact
stretches of pixels instead, because nothing says how wide they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import cv2
import numpy as np

TILE, BLOCK, CONTRAST = 128, 8, 14
SURE = 6.0  # deviations above the other shifts; without the pattern the best one stays below 5
MOST = 6_000_000  # bytes of a file that are decoded
HEADS = re.compile(
    rb"\xff\xd8\xff[\xc0-\xfe]"
    rb"|\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR"
    rb"|RIFF....WEBPVP8"
    rb"|GIF8[79]a"
    rb"|BM....\0\0\0\0[\x1a-\xff]\0\0\0[\x28\x6c\x7c]\0\0\0",
    re.DOTALL,
)


def pattern(seed: int) -> np.ndarray:
    """One tile, 128 by 128, of blocks of 8 by 8 that are +1 or -1 by chance."""
    blocks = np.random.default_rng(seed).integers(0, 2, (TILE // BLOCK,) * 2) * 2 - 1
    return np.kron(blocks, np.ones((BLOCK, BLOCK))).astype(np.float32)


def stamped(picture: np.ndarray, seed: int) -> np.ndarray:
    """The picture (BGR, 8 bits) with the pattern all over it."""
    height, width = picture.shape[:2]
    times = (-(-height // TILE), -(-width // TILE))
    layer = np.tile(pattern(seed), times)[:height, :width, None] * CONTRAST
    return np.clip(picture + layer, 0, 255).astype(np.uint8)


def folded(grey: np.ndarray) -> np.ndarray:
    """The fine structure of a picture, all its tiles laid upon each other."""
    fine = grey - cv2.GaussianBlur(grey, (0, 0), BLOCK * 1.5)
    fine = np.clip(fine, -40, 40)  # an edge of the picture's own must not outweigh the rest
    height, width = (-(-size // TILE) * TILE for size in fine.shape)
    padded = np.zeros((height, width), np.float32)
    padded[: fine.shape[0], : fine.shape[1]] = fine
    return padded.reshape(height // TILE, TILE, width // TILE, TILE).sum(axis=(0, 2))


def likeness(picture: np.ndarray, seed: int) -> float:
    """How far the best shift of the pattern stands out from all others, in deviations."""
    grey = picture if picture.ndim == 2 else picture[..., :3].mean(axis=2)
    tile = np.fft.rfft2(folded(grey.astype(np.float32)))
    match = np.fft.irfft2(tile * np.conj(np.fft.rfft2(pattern(seed))), s=(TILE, TILE))
    spread = float(match.std())
    return float(match.max()) / spread if spread else 0.0


def scales(picture: np.ndarray, side: int) -> Iterator[np.ndarray]:
    """The picture as it is, as if it were the whole photograph made smaller, and at usual fractions."""
    height, width = picture.shape[:2]
    factors = {1.0, 2.0, 4.0, 4 / 3, side / width, side / height}
    for factor in factors:
        size = (round(width * factor), round(height * factor))
        if min(size) >= 48 and max(size) <= 1024:
            yield picture if factor == 1.0 else cv2.resize(picture, size)


def shows(picture: np.ndarray, seed: int, side: int = 512) -> bool:
    """Whether the pattern is anywhere in a decoded picture. ``side``: of the photograph, in pixels."""
    return any(likeness(each, seed) > SURE for each in scales(picture, side))


def pictures(data: bytes) -> Iterator[np.ndarray]:
    """Every picture that begins anywhere in these bytes and can be decoded."""
    for head in HEADS.finditer(data):
        body = np.frombuffer(data, np.uint8, offset=head.start())[:MOST]
        found = cv2.imdecode(body, cv2.IMREAD_COLOR)
        if found is not None:
            yield found


def stretches(photo: bytes) -> set[bytes]:
    """Exact stretches of pixels as arrays hold them: interleaved and planar, bytes and floats."""
    picture = cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    found: set[bytes] = set()
    for line in (picture.shape[0] // 4, picture.shape[0] // 2):
        part = slice(200, 224)
        row = picture[line, part]
        for values in (row, row[:, ::-1], grey[line, part], row[:, 0], row[:, 2]):
            values = np.ascontiguousarray(values)
            found.add(values.tobytes())
            found.add(values.astype(np.float32).tobytes())
            found.add((values.astype(np.float32) / np.float32(255)).tobytes())
    return found
