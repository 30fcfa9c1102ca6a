"""What is kept of a film: the person's head, moment by moment, on one colour; and no sound.

Who the person is, is decided as when the film is measured (``tracking``), but every picture is searched for
others. Where that is in doubt nothing of the picture stays, nor of those half a second before and after:
a doubt is noticed when somebody is already near. The pictures are drawn anew and encoded anew, so nothing
else that was in the file comes along.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from emotion.inference.arrays import Pixels
from emotion.inference.covering import FILL, CannotTell, only_the_head
from emotion.inference.faces import Face
from emotion.inference.film_rates import due
from emotion.inference.films import Frame
from emotion.inference.tracking import Follower

MEDIA_TYPE = "video/mp4"
GUARD = 0.5
"""Seconds around a doubt of which nothing stays: somebody who walks does two face widths in them."""
DOUBTFUL = {"several-faces", "person-unclear", "person-lost"}
KEY_EVERY = 2.0
"""Seconds between two pictures from which a player can begin."""
TICKS = 90_000
"""Of a second: the usual clock of films, in which every time stamp has its place."""
# A head on one colour takes few bits whatever is chosen; these do not soften what the face does.
ENCODER = {"preset": "veryfast", "crf": "21", "threads": "1", "bf": "0"}
# In pieces, so that it can be sealed while it is made: nothing at the beginning waits for the end.
MUXER = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}


@dataclass
class CoveredPicture:
    """One picture: when it was, how large, and the head in it with its place; None where nothing stays."""

    time: float
    shape: tuple[int, int]
    head: tuple[tuple[slice, slice], Pixels] | None

    def drawn(self) -> Pixels:
        """The picture, RGB (H, W, 3), on one colour."""
        made: Pixels = np.full((*self.shape, 3), FILL, np.uint8)
        if self.head is not None:
            place, pixels = self.head
            made[place] = pixels
        return made


def covered_pictures(frames: Iterable[Frame], rate: float | None) -> Iterator[CoveredPicture]:
    """The pictures of a film, as they may be kept; ``GUARD`` seconds of heads are held at a time."""
    follower, waiting = Follower(look_every=0), deque[CoveredPicture]()
    doubt, before = -math.inf, None
    for frame in frames:
        time = frame.time
        wanted, before = due(before, time, rate), time
        picture = CoveredPicture(time, frame.picture.shape[:2], None)
        try:
            picture.head = head_in(follower, frame)
        except CannotTell:
            doubt = time
            for earlier in waiting:
                if time - earlier.time <= GUARD:
                    earlier.head = None
        if time - doubt <= GUARD:
            picture.head = None
        if wanted:
            waiting.append(picture)
        while waiting and time - waiting[0].time > GUARD:
            yield waiting.popleft()
    yield from waiting


def head_in(follower: Follower, frame: Frame) -> tuple[tuple[slice, slice], Pixels] | None:
    """The person's head in a picture; None where no face is. Raises CannotTell."""
    sighting = follower.see(frame.picture, frame.time)
    if sighting.status in DOUBTFUL:
        raise CannotTell
    if sighting.landmarks is None:
        return None
    others = [Face.of_box(box) for box in sighting.others]
    return only_the_head(frame.pixels, sighting.landmarks.face, others)


@dataclass(frozen=True)
class Size:
    """width, height: pixels, both even, as the encoder wants them."""

    width: int
    height: int


def write_covered(
    frames: Iterable[Frame], write: Callable[[bytes], object], rate: float | None = None
) -> Size:
    """Encode what may be kept of a film as MP4 (H.264), handing the bytes on as they are made.

    rate: pictures a second that are kept, of frames that come at ``film_rates.followed_at`` it; None is
    every frame. Raises CannotTell when no picture shows the person beyond doubt; what was written is of no
    use then.
    """
    encoder: Encoder | None = None
    shown = False
    for picture in covered_pictures(frames, rate):
        if encoder is None:
            encoder = Encoder(write, picture.shape)
        shown = shown or picture.head is not None
        encoder.add(picture.drawn(), picture.time)
    if encoder is None or not shown:
        raise CannotTell
    encoder.end()
    return encoder.size


class Encoder:
    """A film that is being made. FFmpeg is loaded here only: who keeps no films does without."""

    def __init__(self, write: Callable[[bytes], object], shape: tuple[int, int]) -> None:
        import av

        self.av: Any = av
        self.size = Size(shape[1] // 2 * 2, shape[0] // 2 * 2)
        self.container: Any = av.open(Onward(write), "w", format="mp4", options=MUXER)
        self.stream: Any = self.container.add_stream("libx264", options=ENCODER)
        self.stream.width, self.stream.height = self.size.width, self.size.height
        self.stream.pix_fmt = "yuv420p"
        self.stream.time_base = self.stream.codec_context.time_base = Fraction(1, TICKS)
        self.began = -KEY_EVERY

    def add(self, pixels: Pixels, time: float) -> None:
        """The next picture, RGB (H, W, 3); time: seconds, later than the one before."""
        whole = np.ascontiguousarray(pixels[: self.size.height, : self.size.width])
        frame = self.av.VideoFrame.from_ndarray(whole, format="rgb24")
        frame.pts, frame.time_base = round(time * TICKS), Fraction(1, TICKS)
        if time - self.began >= KEY_EVERY:
            self.began = time
            frame.pict_type = self.av.video.frame.PictureType.I
        self.container.mux(self.stream.encode(frame))

    def end(self) -> None:
        """Write what is left."""
        self.container.mux(self.stream.encode())
        self.container.close()


class Onward:
    """A file that can only be written to, and hands everything on."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self.hand_on = write

    def write(self, data: bytes) -> int:
        """All of it."""
        self.hand_on(bytes(data))
        return len(data)
