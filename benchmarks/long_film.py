"""An hour of film, 25 pictures a second: ``python -m benchmarks.long_film [minutes] [moments a second]``.

Two seconds of a moving face, 320 x 240, are repeated by copying their packets, so making the film takes
no longer than writing it. Every picture is decoded; so many a second are read with all categories. Printed
for each tenth of the film: processor milliseconds for a moment, decoding included, and the largest memory
of the parent and of the decoding child so far.
"""

from __future__ import annotations

import io
import re
import resource
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2

from benchmarks.inference import PHOTO
from emotion.inference.expressions import expression_pack
from emotion.inference.film_rates import followed_at
from emotion.inference.film_reading import read_film
from emotion.inference.films import Film, open_film
from emotion.inference.sessions import warm_up

RATE, AGAIN = 25, 50
CATEGORIES = ["expression", "blendshapes", "head-pose", "gaze", "smile-marker", "body-motion"]


def two_seconds() -> bytes:
    photo = cv2.cvtColor(cv2.imread(str(PHOTO)), cv2.COLOR_BGR2RGB)
    head = cv2.resize(photo[0:300, 80:380], (240, 240), interpolation=cv2.INTER_AREA)
    held = io.BytesIO()
    with av.open(held, "w", format="mp4") as film:
        video: Any = film.add_stream("libx264", rate=RATE, options={"bf": "0"})
        video.width, video.height, video.pix_fmt = 320, 240, "yuv420p"
        for number in range(AGAIN):
            left = 40 + abs(number - AGAIN // 2)
            canvas = cv2.copyMakeBorder(
                head, 0, 0, left, 80 - left, cv2.BORDER_CONSTANT, value=(110, 110, 110)
            )
            film.mux(video.encode(av.VideoFrame.from_ndarray(canvas, format="rgb24")))
        film.mux(video.encode())
    return held.getvalue()


def long_film(minutes: int) -> bytes:
    """The two seconds again and again."""
    held, short = io.BytesIO(), two_seconds()
    with av.open(io.BytesIO(short)) as source, av.open(held, "w", format="matroska") as target:
        video = source.streams.video[0]
        packets = [(bytes(each), each.is_keyframe) for each in source.demux(video) if each.size]
        track = target.add_stream_from_template(video)
        for number in range(minutes * 60 * RATE):
            body, key = packets[number % AGAIN]
            packet = av.Packet(body)
            packet.stream, packet.time_base, packet.is_keyframe = track, Fraction(1, RATE), key
            packet.pts = packet.dts = number
            target.mux(packet)
    return held.getvalue()


def child_of(film: Film) -> tuple[float, float]:
    """Processor seconds and largest MiB of the decoding child; at the end it has none any more."""
    process = Path(f"/proc/{film.child.process.pid}")
    fields = (process / "stat").read_text().rsplit(")", 1)[1].split()
    peak = re.search(r"VmHWM:\s*(\d+)", (process / "status").read_text())
    return (int(fields[11]) + int(fields[12])) / 100, int(peak[1]) / 1024 if peak else 0.0


def main() -> None:
    minutes = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    rate = float(sys.argv[2]) if len(sys.argv) > 2 else 1.0
    warm_up()
    data, tenth = long_film(minutes), minutes * 6.0
    print(
        f"{minutes} minutes, {minutes * 60 * RATE} pictures, {len(data) / 2**20:.0f} MiB, {rate:g} a second"
    )
    clock, used, moments, due = time.perf_counter(), time.process_time(), 0, tenth
    with open_film(io.BytesIO(data), rate=followed_at(rate)) as film:
        for stretch in read_film(film, CATEGORIES, expression_pack(), rate):
            moments += len(stretch.series["summary"]["status"])
            if stretch.number * 60 >= due - 1:
                due += tenth
                decoding, theirs = child_of(film)
                spent = time.process_time() + decoding
                ours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
                print(
                    f"  minute {stretch.number:3}: {(spent - used) / moments * 1000:6.1f} ms a moment,"
                    f" {ours:4.0f} MiB here, {theirs:4.0f} MiB in the child",
                    flush=True,
                )
                used, moments = spent, 0
    print(f"  {minutes * 60 / (time.perf_counter() - clock):.0f} times real time")


if __name__ == "__main__":
    main()
