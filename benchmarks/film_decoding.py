"""What the wall around films costs: ``python -m benchmarks.film_decoding [rounds]``.

One film at a time, made here from the test photograph, is decoded every picture and 10 a second in these
ways, taking turns so that a busy machine slows all alike:

- *floor*: PyAV in this process, one thread, planes at the same size, nothing limited;
- *ours*: ``open_film``, with its process, pipes and shared memory;
- *cv2*: ``cv2.VideoCapture`` from a file, one thread, BGR at full size (it cannot sample by time stamps).

Printed: medians in milliseconds with the ratio to the floor, by the clock and by processor time of both
processes; and what handing pictures over costs by shared memory and by a pipe.
"""

from __future__ import annotations

import io
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from benchmarks._processor import processor
from emotion.inference.films import open_film
from emotion.inference.media import decode_photo

PHOTO = Path(__file__).resolve().parent.parent / "tools" / "data" / "astronaut.jpg"
SECONDS = 24
ENCODERS = {
    "H.264 1280 x 720": ("mp4", "libx264", {"preset": "fast", "threads": "2"}, (1280, 720)),
    "H.264 1920 x 1080": ("mp4", "libx264", {"preset": "veryfast", "threads": "2"}, (1920, 1080)),
    "VP9 1280 x 720": (
        "webm",
        "libvpx-vp9",
        {"cpu-used": "8", "deadline": "realtime"},
        (1280, 720),
    ),
}


def moving(size: tuple[int, int], count: int) -> Iterator[np.ndarray]:
    """The photograph, drifting and with noise, so that pictures differ as a camera's do."""
    chance = np.random.default_rng(1)
    columns, rows = size
    wide = cv2.resize(decode_photo(PHOTO.read_bytes()), (columns + 64, rows + 64))
    noise = chance.integers(-4, 5, (8, rows, columns, 3), dtype=np.int16)
    for number in range(count):
        x = round(32 + 31 * np.sin(number / 9))
        y = round(32 + 31 * np.cos(number / 13))
        cut = wide[y : y + rows, x : x + columns].astype(np.int16) + noise[number % 8]
        yield np.clip(cut, 0, 255).astype(np.uint8)


def film(
    container: str,
    encoder: str,
    options: dict[str, str],
    size: tuple[int, int],
    count: int = SECONDS * 25,
) -> bytes:
    held = io.BytesIO()
    with av.open(held, "w", format=container) as target:
        track = target.add_stream(encoder, rate=25, options=options)
        track.width, track.height, track.pix_fmt = *size, "yuv420p"
        for picture in moving(size, count):
            target.mux(track.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        target.mux(track.encode(None))
    return held.getvalue()


def floor(data: bytes, rate: int | None) -> int:
    wanted, count = 0, 0
    with av.open(io.BytesIO(data)) as source:
        track = source.streams.video[0]
        track.codec_context.thread_count = 1
        track.thread_type = "NONE"
        scale = min(1.0, 1280 / max(track.width, track.height))
        size = round(track.width * scale), round(track.height * scale)
        for frame in source.decode(track):
            if rate is None or frame.pts * track.time_base >= Fraction(wanted, rate):
                frame.reformat(*size, "yuv420p", interpolation="AREA", threads=1).to_ndarray()
                wanted, count = wanted + 1, count + 1
    return count


def ours(data: bytes, rate: int | None) -> int:
    with open_film(io.BytesIO(data), rate=rate) as opened:
        return sum(1 for _ in opened)


def captured(path: Path, every: int) -> int:
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    count = number = 0
    while capture.grab():
        if number % every == 0:
            capture.retrieve()
            count += 1
        number += 1
    capture.release()
    return count


def measure(
    steps: dict[str, Callable[[], int]], rounds: int
) -> dict[str, tuple[float, float, int]]:
    """Median milliseconds by the clock and of processor time, and how many pictures came."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in steps}
    counts: dict[str, int] = {}
    for _ in range(rounds):
        for name, step in steps.items():
            clock, used = time.perf_counter(), processor()
            counts[name] = step()
            taken[name].append((time.perf_counter() - clock, processor() - used))
    return {
        name: (
            statistics.median(clock for clock, _ in pairs) * 1000,
            statistics.median(used for _, used in pairs) * 1000,
            counts[name],
        )
        for name, pairs in taken.items()
    }


def report(name: str, rounds: int) -> None:
    data = film(*ENCODERS[name])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film"
        path.write_bytes(data)
        for rate, title in ((None, "every picture"), (10, "10 a second")):
            found = measure(
                {
                    "floor": lambda rate=rate: floor(data, rate),
                    "ours": lambda rate=rate: ours(data, rate),
                    "cv2": lambda rate=rate: captured(path, 1 if rate is None else 25 // rate),
                },
                rounds,
            )
            print(f"{name}, {SECONDS} s of film, {len(data) / 1024:.0f} KiB, {title}")
            base = found["floor"]
            for way, (clock, used, count) in found.items():
                print(
                    f"  {way:<6}{count:5} pictures {clock:8.0f} ms {clock / base[0]:5.2f} x"
                    f"   processor {used:8.0f} ms {used / base[1]:5.2f} x"
                    f"   {SECONDS * 1000 / clock:6.1f} x real time"
                )


def handing_over(rounds: int) -> None:
    """Processor milliseconds a picture of 1280 x 720, both sides: through a pipe, and by copying twice."""
    picture = np.zeros((720, 1280, 3), np.uint8)
    reading, writing = os.pipe()
    started = processor()
    sender = os.fork()
    if not sender:
        for _ in range(rounds):
            left = memoryview(picture).cast("B")
            while left:
                left = left[os.write(writing, left) :]
        os._exit(0)
    target = np.empty_like(picture)
    for _ in range(rounds):
        left = memoryview(target).cast("B")
        while left:
            left = left[os.readv(reading, [left]) :]
    os.waitpid(sender, 0)
    piped = processor() - started
    started = processor()
    for _ in range(rounds):
        np.copyto(target, picture)
        target.copy()
    copied = processor() - started
    print(
        f"handing over: pipe {piped / rounds * 1000:.2f} ms, memory {copied / rounds * 1000:.2f} ms"
    )


def starting(rounds: int) -> None:
    """What a film of one picture costs: starting the process and loading the decoder."""
    data = film(*ENCODERS["H.264 1280 x 720"], count=1)
    clock, used, _count = measure({"start": lambda: ours(data, None)}, rounds)["start"]
    print(f"starting: {clock:.0f} ms, processor {used:.0f} ms")


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    starting(rounds)
    for name in ENCODERS:
        report(name, rounds)
    handing_over(rounds * 40)


if __name__ == "__main__":
    main()
