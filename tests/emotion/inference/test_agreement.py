"""How closely landmarks, blendshapes and head pose agree with MediaPipe's own runtime.

``mediapipe.json`` holds what MediaPipe answered (``tools/mediapipe_vectors.py`` made it). Fed with the same
square of pixels its detector sees, ours gives the same numbers. As it runs, the detector's input is
averaged and not sampled, so that the crops and with them all that follows differ a little.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from emotion.inference import faces
from emotion.inference.arrays import Array, Pixels
from emotion.inference.blendshapes import NAMES, find_blendshapes
from emotion.inference.faces import SIZE, Face, faces_in, find_faces
from emotion.inference.landmarks import Landmarks, find_landmarks
from emotion.inference.pose import Pose, find_pose
from tests.emotion.inference.versions import VERSIONS


@cache
def answers() -> dict[str, Any]:
    return dict(json.loads(Path(__file__).with_name("mediapipe.json").read_text())["answers"])


def sampled_square(pixels: Pixels) -> tuple[Array, int, Array]:
    """The detector's input as MediaPipe's OpenCV converter makes it: every n-th pixel, nothing averaged."""
    height, width = pixels.shape[:2]
    side = max(height, width)
    left, top = (side - width) // 2, (side - height) // 2
    padded = cv2.copyMakeBorder(
        pixels, top, side - height - top, left, side - width - left, cv2.BORDER_CONSTANT
    )
    step = np.array([[side / SIZE, 0, 0], [0, side / SIZE, 0]], np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    small = cv2.warpAffine(padded, step, (SIZE, SIZE), flags=flags)
    return small[None].astype(np.float32) / 127.5 - 1.0, side, np.array([left, top], np.float32)


def angle_between(pose: Pose, matrix: Any) -> float:
    """Degrees of the rotation between a pose and MediaPipe's matrix (4, 4)."""
    theirs = np.array(matrix)[:3, :3]
    theirs /= np.cbrt(np.linalg.det(theirs))
    chord = np.linalg.norm(pose.rotation - theirs) / np.sqrt(8)
    return float(2 * np.degrees(np.arcsin(np.clip(chord, 0, 1))))


def compared(pixels: Pixels, face: Face, answer: dict[str, Any]) -> tuple[float, float, float]:
    """Landmarks off (share of the distance between the eyes), blendshapes off (largest), degrees."""
    found = find_landmarks(pixels, face)
    assert found is not None
    theirs = np.array(answer["landmarks"])[:, :2]
    off = np.linalg.norm(found.points[:, :2] - theirs, axis=1).mean()
    moved = dict(zip(NAMES, find_blendshapes(found), strict=True))
    pose = find_pose(found.points, pixels.shape[1], pixels.shape[0])
    return (
        float(off / np.linalg.norm(theirs[33] - theirs[263])),
        max(abs(moved[name] - value) for name, value in answer["blendshapes"].items()),
        angle_between(pose, answer["matrix"]),
    )


@pytest.mark.parametrize("name", VERSIONS)
def test_the_same_landmarks_give_the_same_pose_and_blendshapes(name: str) -> None:
    pixels, answer = VERSIONS[name](), answers()[name]
    points = np.array(answer["landmarks"], np.float32)
    pose = find_pose(points, pixels.shape[1], pixels.shape[0])
    assert angle_between(pose, answer["matrix"]) < 0.02  # 0.01 measured
    shift = np.array(answer["matrix"])[:3, 3]
    assert abs(shift - [pose.x, pose.y, pose.z]).max() < 0.01  # centimetres; 0.002 measured
    bare = Landmarks(points, 1.0, np.zeros((128, 4, 4), np.float32))
    moved = dict(zip(NAMES, find_blendshapes(bare), strict=True))
    assert max(abs(moved[key] - value) for key, value in answer["blendshapes"].items()) < 0.003


@pytest.mark.parametrize("name", VERSIONS)
def test_the_same_detector_input_gives_the_same_numbers(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = VERSIONS[name]()
    monkeypatch.setattr(faces, "square_input", sampled_square)
    off, moved, degrees = compared(pixels, faces_in(pixels)[0], answers()[name])
    assert off < 0.002
    assert moved < 0.02
    assert degrees < 0.2


@pytest.mark.parametrize("name", VERSIONS)
def test_as_it_runs_it_differs_by_little(name: str) -> None:
    pixels = VERSIONS[name]()
    (face,) = find_faces(pixels)
    off, moved, degrees = compared(pixels, face, answers()[name])
    assert off < 0.015
    assert moved < 0.25
    assert degrees < 2.0
