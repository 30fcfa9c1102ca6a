"""``fer`` on the first pictures of a film, for ``benchmarks.inference``: expressions of every face."""

from __future__ import annotations

import json
import resource
import sys
import time

import cv2
from fer.fer import FER

PICTURES = 60


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


detector, film = FER(), cv2.VideoCapture(sys.argv[1])
detector.detect_emotions(film.read()[1])  # loads what it loads the first time
frames = faces = 0
started, used = time.perf_counter(), cpu()
while frames < PICTURES:
    there, picture = film.read()
    if not there:
        break
    frames += 1
    faces += bool(detector.detect_emotions(picture))
wall = time.perf_counter() - started
mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(
    json.dumps({"frames": frames, "faces": faces, "seconds": wall, "cpu": cpu() - used, "mib": mib})
)
