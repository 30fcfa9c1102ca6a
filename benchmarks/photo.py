"""What one photograph costs above the bare models: ``python -m benchmarks.photo [rounds]``.

Decoding in its own process, finding faces, quality, crops and the readings are compared with the same
model runs alone, on the same tensors, in the same process and alternating with it, so that a busy machine
slows both. Printed: medians in milliseconds, the ratio of the whole to the bare models, and the same ratio
of the processor time that all processes took, over all rounds.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import cv2
import numpy as np

from benchmarks._processor import processor
from emotion.inference import blendshapes, expressions, faces, landmarks
from emotion.inference.arrays import Array, Pixels
from emotion.inference.media import decode_photo
from emotion.inference.photos import analyse_photo
from emotion.inference.sessions import run, warm_up

PHOTO = Path(__file__).resolve().parent.parent / "tools" / "data" / "astronaut.jpg"
BOTH = frozenset({"expression", "blendshapes"})
Runs = list[tuple[str, Array]]


def recorded(pixels: Pixels) -> Runs:
    """Every model run of one analysis with its input."""
    runs: Runs = []

    def record(name: str, inputs: Array, pack: Path | None = None) -> list[Array]:
        runs.append((name, inputs.copy()))
        return run(name, inputs, pack)

    with (
        mock.patch.object(faces, "run", record),
        mock.patch.object(landmarks, "run", record),
        mock.patch.object(blendshapes, "run", record),
        mock.patch.object(expressions, "run", record),
    ):
        reading = analyse_photo(pixels, BOTH)
    assert reading.status == "read", reading.status  # noqa: S101  # else the figures mean nothing
    return runs


def repeat(runs: Runs) -> None:
    for name, inputs in runs:
        run(name, inputs)


Taken = dict[str, list[tuple[float, float]]]
"""Of each step: seconds by the clock and of the processor, round by round."""


def measure(steps: dict[str, Callable[[], object]], rounds: int) -> Taken:
    """The steps taking turns."""
    taken: Taken = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            before, started = processor(), time.perf_counter()
            step()
            taken[name].append((time.perf_counter() - started, processor() - before))
    return taken


def report(title: str, photo: bytes, rounds: int) -> None:
    pixels = decode_photo(photo)
    runs = recorded(pixels)
    found = measure(
        {
            "bare models": lambda: repeat(runs),
            "analysis of decoded pixels": lambda: analyse_photo(pixels, BOTH),
            "decoding in its own process": lambda: decode_photo(photo),
            "decoding and analysis": lambda: analyse_photo(decode_photo(photo), BOTH),
        },
        rounds,
    )
    clock = {name: statistics.median(each[0] for each in taken) for name, taken in found.items()}
    spent = {name: sum(each[1] for each in taken) for name, taken in found.items()}
    print(f"{title}: {len(photo) / 1024:.0f} KiB, {len(runs)} model runs, {rounds} rounds")
    for name, value in clock.items():
        ratios = [one[name] / one["bare models"] for one in (clock, spent)]
        print(
            f"  {name:<30} {value * 1000:8.1f} ms  {ratios[0]:5.2f} x  processor {ratios[1]:5.2f} x"
        )


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    warm_up()
    photo = PHOTO.read_bytes()
    small = decode_photo(photo)
    report("512 x 512", photo, rounds)
    large = cv2.resize(small, (4000, 4000), interpolation=cv2.INTER_CUBIC)
    done, body = cv2.imencode(".jpg", cv2.cvtColor(np.ascontiguousarray(large), cv2.COLOR_RGB2BGR))
    assert done  # noqa: S101  # an encoder that is there
    report("4000 x 4000", body.tobytes(), max(rounds // 3, 3))


if __name__ == "__main__":
    main()
