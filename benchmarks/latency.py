"""Upload to result, for one photograph after the other, beside the bare ONNX time of the same models.

``python -m benchmarks.latency``: starts an installation in a temporary folder (the same processes as
``make run``), uploads twenty times through the API, and polls each analysis until it is done. The floor
is the time that ONNX Runtime alone takes for the same model runs, measured in the same minute.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from emotion.inference.media import decode_photo
from emotion.inference.photos import analyse_photo
from emotion.inference.sessions import session
from tools.demo import PHOTO, Demo, free_port, wait_for

RUNS = 20
SHAPES = {
    "face_detector.onnx": (1, 128, 128, 3),
    "face_landmarks.onnx": (1, 256, 256, 3),
    "face_blendshapes.onnx": (1, 146, 2),
    "expression_fer.onnx": (2, 64, 64, 1),
    "expression_human.onnx": (2, 64, 64, 1),
    "expression_faceapi.onnx": (2, 3, 112, 112),
}


def milliseconds(values: list[float]) -> str:
    """Median and range."""
    found = [value * 1000 for value in values]
    return f"median {statistics.median(found):7.1f} ms   ({min(found):.1f} to {max(found):.1f})"


def bare_onnx() -> list[float]:
    """The six models' runs for one photograph, nothing around them."""
    inputs = {name: np.zeros(shape, np.float32) for name, shape in SHAPES.items()}
    times = []
    for _run in range(RUNS + 3):
        begun = time.perf_counter()
        for name, tensor in inputs.items():
            loaded = session(name)
            loaded.run(None, {loaded.get_inputs()[0].name: tensor})
        times.append(time.perf_counter() - begun)
    return times[3:]


def in_process() -> tuple[list[float], list[float]]:
    """Decoding in its own process, and the reading of the decoded picture."""
    data = PHOTO.read_bytes()
    decoding, reading = [], []
    for _run in range(RUNS):
        begun = time.perf_counter()
        pixels = decode_photo(data)
        decoding.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        analyse_photo(pixels, {"expression", "blendshapes"})
        reading.append(time.perf_counter() - begun)
    return decoding, reading


def walk(demo: Demo) -> tuple[list[float], list[float]]:
    """The time to the 202 and to the finished result, for each upload."""
    accepted, finished = [], []
    for number in range(RUNS):
        begun = time.perf_counter()
        answer = demo.upload(f"run-{number}").json()
        accepted.append(time.perf_counter() - begun)
        demo.analysis = answer["analyses"][0]["id"]
        state = wait_for(demo.ended, "the analysis")
        finished.append(time.perf_counter() - begun)
        if state != "done":
            raise SystemExit(f"an analysis ended {state}")
    return accepted, finished


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="consentry-bench-") as name:
        demo = Demo(Path(name), free_port())
        with demo.running():
            demo.open_purpose()
            demo.make_client()
            demo.consent()
            demo.analyse()  # warms the worker's models
            accepted, finished = walk(demo)
    floor = bare_onnx()
    decoding, reading = in_process()
    print(f"upload → 202             {milliseconds(accepted)}")
    print(f"upload → result          {milliseconds(finished)}")
    print(f"  decoding, own process  {milliseconds(decoding)}")
    print(f"  reading the picture    {milliseconds(reading)}")
    print(f"bare ONNX, same models   {milliseconds(floor)}")
    ratio = statistics.median(finished) / statistics.median(floor)
    print(
        f"upload → result is {ratio:.1f} times the bare ONNX time; {RUNS} photographs, one by one"
    )


if __name__ == "__main__":
    sys.exit(main())
