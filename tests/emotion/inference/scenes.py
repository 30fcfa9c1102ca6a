"""Moving pictures with a known truth: one person, and sometimes somebody else who walks through.

Both are the one real photograph, the other mirrored and darker; who is who is known because it was drawn.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import av
import cv2
import numpy as np

from emotion.inference.arrays import Pixels
from emotion.inference.film_rates import due
from tests.emotion.inference.photographs import pixels

WIDTH, HEIGHT = 854, 480
FACE = 102.0  # pixels: the longer side of the detector's box around the drawn face
HEAD = (slice(0, 240), slice(110, 350))  # of the photograph
MIDDLE = (115.0, 124.0)  # of the face in that piece

Path = Callable[[float], tuple[float, float] | None]
"""Where the middle of a face is at a time in seconds; None when it is not in the picture."""


@cache
def person() -> Pixels:
    return pixels()[HEAD]


@cache
def bystander() -> Pixels:
    return (person()[:, ::-1] * 0.8).astype(np.uint8)


def put(canvas: Pixels, head: Pixels, x: float, y: float, middle: tuple[float, float]) -> None:
    """Draw a head so that the middle of its face is at (x, y); what lies outside is cut off."""
    rows, columns = head.shape[:2]
    left, top = round(x - middle[0]), round(y - middle[1])
    inside = (
        slice(max(top, 0), min(top + rows, canvas.shape[0])),
        slice(max(left, 0), min(left + columns, canvas.shape[1])),
    )
    if inside[0].stop > inside[0].start and inside[1].stop > inside[1].start:
        canvas[inside] = head[
            inside[0].start - top : inside[0].stop - top,
            inside[1].start - left : inside[1].stop - left,
        ]


@dataclass(frozen=True)
class Scene:
    """person, other: where they are; other_size: how near the other is; the other walks in front.

    rate, taken: pictures a second that were filmed, and how many of them are taken as a film is read at a
    rate: the first at or after each multiple; None for all. At 10 of 25 they come after 0.12 and 0.08 s.
    shrunk: how far off both are, and their ways: 1 as above, 0.5 half as large around the middle.
    """

    seconds: float
    person: Path
    other: Path = lambda _time: None
    other_size: float = 1.0
    rate: float = 10.0
    taken: float | None = None
    shrunk: float = 1.0

    def truth(self, time: float) -> tuple[float, float] | None:
        """Where in the picture the person's face is."""
        if (where := self.person(time)) is None:
            return None
        x, y = ((at - of / 2) * self.shrunk for at, of in zip(where, (WIDTH, HEIGHT), strict=True))
        return x + WIDTH / 2, y + HEIGHT / 2

    def frame(self, time: float) -> Pixels:
        """The picture at a time."""
        canvas = np.full((HEIGHT, WIDTH, 3), 110, np.uint8)
        if (where := self.person(time)) is not None:
            put(canvas, person(), *where, MIDDLE)
        if (where := self.other(time)) is not None:
            head = cv2.resize(bystander(), None, fx=self.other_size, fy=self.other_size)
            middle = (
                (bystander().shape[1] - MIDDLE[0]) * self.other_size,
                MIDDLE[1] * self.other_size,
            )
            put(canvas, head.astype(np.uint8), *where, middle)
        if self.shrunk == 1:
            return canvas
        small = cv2.resize(
            canvas, None, fx=self.shrunk, fy=self.shrunk, interpolation=cv2.INTER_AREA
        )
        farther = np.full_like(canvas, 110)
        put(
            farther,
            small.astype(np.uint8),
            WIDTH / 2,
            HEIGHT / 2,
            (WIDTH / 2 * self.shrunk, HEIGHT / 2 * self.shrunk),
        )
        return farther

    def frames(self) -> Iterator[tuple[float, Pixels]]:
        """Times and pictures."""
        for time in moments(self.seconds, self.rate, self.taken):
            yield time, self.frame(time)


def moments(seconds: float, rate: float, taken: float | None = None) -> list[float]:
    """The times of pictures, ``rate`` of them a second, of which so many are taken."""
    times = [step / rate for step in range(round(seconds * rate))]
    return [
        time
        for before, time in zip([None, *times], times, strict=False)
        if due(before, time, taken)
    ]


def sits(x: float = 420, y: float = 250) -> Path:
    """Always there."""
    return lambda _time: (x, y)


def during(start: float, end: float, path: Path) -> Path:
    """There only between two times."""
    return lambda time: path(time) if start <= time < end else None


def without(start: float, end: float, path: Path) -> Path:
    """There but for a while."""
    return lambda time: None if start <= time < end else path(time)


def walks(start: float, x: float, speed: float, y: float = 250) -> Path:
    """Walking across at ``speed`` pixels a second, at ``x`` when ``start``."""
    return lambda time: (x + (time - start) * speed, y)


def as_film(scene: Scene, container: str = "mp4") -> bytes:
    """The scene as a file."""
    held = io.BytesIO()
    encoder = "libx264" if container == "mp4" else "libvpx"
    options = {"preset": "ultrafast", "crf": "20", "threads": "1"}
    if encoder == "libvpx":
        options = {"cpu-used": "8", "deadline": "realtime", "b": "2M"}
    with av.open(held, "w", format=container) as film:
        video: Any = film.add_stream(encoder, options=options)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.time_base = video.codec_context.time_base = Fraction(1, 1000)
        for time, picture in scene.frames():
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = round(time * 1000), Fraction(1, 1000)
            film.mux(video.encode(frame))
        film.mux(video.encode())
    return held.getvalue()
