"""What is left of a reading when a picture gets worse: the test photograph, made worse step by step.

    python -m training.worsened

Printed, for each step: how far the landmarks are off (mean, % of the eyes' distance), the probability of
"happy", and the figures of ``quality.THRESHOLDS`` that move. The limits there are chosen by this table.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from emotion.inference.arrays import Pixels
from emotion.inference.expressions import find_expression
from emotion.inference.faces import find_faces
from emotion.inference.labels import LABELS
from emotion.inference.landmarks import Landmarks, find_landmarks
from emotion.inference.pictures import pixels_of
from emotion.inference.quality import measure_quality

PHOTO = Path(__file__).resolve().parent.parent / "tools" / "data" / "astronaut.jpg"
NOISE = 4.0
"""Of a camera in the dark: one deviation, of 255."""
SEEDS = 5
WINDOW = 235
"""How bright what lies around a backlit face is, of 255."""
HAIR = 8
"""Pixels around the mesh, which ends at the forehead, that are the person's as well."""


def face_in(pixels: Pixels) -> Landmarks:
    """The landmarks of the one face. Raises ValueError where none is seen."""
    faces = find_faces(pixels)
    landmarks = find_landmarks(pixels, faces[0]) if faces else None
    if landmarks is None:
        raise ValueError("no face is seen any more")
    return landmarks


def in_the_dark(photograph: Pixels, share: float, seed: int) -> Pixels:
    """With so much of its light, and the noise of a camera."""
    noise = np.random.default_rng(seed).normal(0, NOISE, photograph.shape)
    return np.clip(photograph * share + noise, 0, 255).astype(np.uint8)


def before_a_window(photograph: Pixels, share: float, landmarks: Landmarks) -> Pixels:
    """The person with so much of their light, before something bright."""
    person = np.zeros(photograph.shape[:2], np.float32)
    cv2.fillConvexPoly(person, cv2.convexHull(landmarks.points[:, :2].astype(np.int32)), 1.0)
    person = np.asarray(cv2.dilate(person, np.ones((3, 3)), iterations=HAIR), np.float32)
    person[int(landmarks.points[152, 1]) :] = 1  # the chin, and the body below
    person = np.asarray(cv2.GaussianBlur(person, (0, 0), 1.5), np.float32)[..., None]
    return pixels_of(photograph * share * person + WINDOW * (1 - person))


def steps(photograph: Pixels) -> Iterator[tuple[str, list[Pixels], float]]:
    """What was done, the pictures that it gave, and how much smaller they are."""
    yield "nothing", [photograph], 1
    for sigma in (2, 3, 4):
        yield f"blur, sigma {sigma} px", [pixels_of(cv2.GaussianBlur(photograph, (0, 0), sigma))], 1
    for share in (0.5, 0.3, 0.15):
        small = cv2.resize(photograph, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
        yield f"size x {share}", [pixels_of(small)], share
    for share in (0.3, 0.2, 0.17, 0.15, 0.1):
        dark = [in_the_dark(photograph, share, seed) for seed in range(SEEDS)]
        yield f"darkness with noise x {share}", dark, 1
    for share in (0.3, 0.2, 0.15, 0.1):
        lit = before_a_window(photograph, share, face_in(photograph))
        dark = [in_the_dark(lit, 1.0, seed) for seed in range(SEEDS)]
        yield f"the same before a window x {share}", dark, 1
    for share in (1.3, 1.6, 1.7, 1.8):
        bright = np.clip(photograph * share, 0, 255).astype(np.uint8)
        yield f"overexposure x {share}", [bright], 1
    width = float(np.ptp(face_in(photograph).points[:, 0]))
    for share in (0.04, 0.08, 0.12, 0.15):
        line = np.full((1, round(share * width)), 1 / round(share * width))
        for way, kernel in (("across", line), ("upwards", line.T)):
            yield f"smeared {way} by {share}", [pixels_of(cv2.filter2D(photograph, -1, kernel))], 1


def main() -> None:
    """Print the table."""
    photograph = pixels_of(cv2.cvtColor(cv2.imread(str(PHOTO)), cv2.COLOR_BGR2RGB))
    known = face_in(photograph).points[:, :2]
    eyes = float(np.hypot(*(known[263] - known[33])))
    for name, pictures, scale in steps(photograph):
        rows = []
        for pixels in pictures:
            landmarks = face_in(pixels)
            off = np.hypot(*(landmarks.points[:, :2] / scale - known).T).mean() / eyes
            happy = find_expression(pixels, landmarks)[LABELS.index("happy")]
            quality = measure_quality(pixels, find_faces(pixels)[0], landmarks)
            rows.append([100 * off, happy, *quality.values()])
        off, happy, size, light, burnt, sharp = np.mean(rows, axis=0)
        print(f"{name:34} off {off:.1f} %, happy {happy:.2f}: ", end="")
        print(f"{size:.0f} px, light {light:.2f}, burnt out {burnt:.2f}, sharpness {sharp:.0f}")


if __name__ == "__main__":
    main()
