"""Other signs of a covered mouth or eye that were tried, and what each would recognise.

    python -m training.occlusion_signs --data fer2013_train_valid.npz

``--data`` as for ``training.occlusion``; a part of FER2013's validation part is measured on, with the same
drawings. The limit of each sign is where it calls two in a hundred plain faces covered.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from emotion.inference.crops import tight_crop
from emotion.inference.expressions import expression_pack
from emotion.inference.faces import WHOLE, Face, find_faces
from emotion.inference.intervals import SEED
from emotion.inference.landmarks import Landmarks, find_landmarks
from emotion.inference.occlusion import cover
from training.covers import COVERS, LEFT_EYE, RIGHT_EYE, Site
from training.fitting import Array
from training.occlusion import (
    DRAWINGS,
    FALSE_ALARMS,
    bytes_of,
    coarse,
    enlarged,
    look,
    share,
    tinted,
)

FACES = 250
PAIRS = [(33, 263), (133, 362), (61, 291), (468, 473), (159, 386), (145, 374)]
PAIRS += [(middle, middle) for middle in (0, 1, 13, 14, 17)]
"""Landmarks and their counterparts on the other side."""
SWAPPED = [1, 0, 2, 3, 5, 4]
"""The detector's key points in a mirror."""


def eye_distance(points: Array) -> float:
    """Between the outer corners, in pixels."""
    return float(np.linalg.norm(points[LEFT_EYE[0]] - points[RIGHT_EYE[0]]))


def key_points_apart(face: Face, points: Array) -> float:
    """How far eyes, nose and mouth of the detector lie from the mesh's, at most, in eye distances."""
    ours = np.stack([points[468], points[473], points[1], points[[13, 14]].mean(axis=0)])
    return float(np.linalg.norm(ours - face.points[:4], axis=1).max()) / eye_distance(points)


def mirrored_apart(pixels: Array, face: Face, points: Array) -> float:
    """How far the landmarks of the mirrored picture lie from their counterparts, at most."""
    last = pixels.shape[1] - 1
    box = np.array([last - face.box[2], face.box[1], last - face.box[0], face.box[3]], np.float32)
    keys = (face.points * [-1, 1] + [last, 0])[SWAPPED].astype(np.float32)
    found = find_landmarks(np.ascontiguousarray(pixels[:, ::-1]), Face(box, keys, 1.0))
    if found is None:
        return 1.0
    back = found.points[:, :2] * [-1, 1] + [last, 0]
    ways = [(one, other) for pair in PAIRS for one, other in (pair, pair[::-1])]
    return max(float(np.linalg.norm(points[a] - back[b])) for a, b in ways) / eye_distance(points)


def edges(pixels: Array, points: Array) -> float:
    """The least of the vertical edges at lips and eyes, over the contrast of the face."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(float)
    reach, found = max(2, round(eye_distance(points) * 0.15)), []
    for column, row in (points[[13, 14]].mean(axis=0), points[468], points[473]):
        rows = slice(max(0, round(row) - reach), max(2, round(row) + reach))
        columns = slice(max(0, round(column) - reach), max(2, round(column) + reach))
        part = grey[rows, columns]
        found.append(float(np.abs(np.diff(part, axis=0)).mean()) if part.shape[0] > 1 else 0.0)
    return min(found) / max(float(grey.std()), 1.0)


def votes_apart(pixels: Array, landmarks: Landmarks) -> float:
    """The largest difference between two expression models' votes, 0 to 2."""
    votes = expression_pack().member_votes(lambda size: tight_crop(pixels, landmarks, size)[None])
    return float(np.abs(votes[:, None] - votes[None]).sum(axis=-1).max())


def signs(pixels: Array, landmarks: Landmarks) -> dict[str, float]:
    """Each sign, larger where more speaks for a cover."""
    (face, *_others), points = find_faces(pixels, parts=WHOLE), landmarks.points[:, :2]
    return {
        "the landmark model's certainty": -landmarks.presence,
        "key points of detector and mesh apart": key_points_apart(face, points),
        "landmarks of the mirrored picture apart": mirrored_apart(pixels, face, points),
        "few edges at lips or eyes": -edges(pixels, points),
        "votes of the expression models apart": votes_apart(pixels, landmarks),
        "inner layer (kept)": cover(landmarks.cells),
    }


def main() -> None:
    """Read the command line and do it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    with np.load(parser.parse_args().data) as data:
        faces = data["x_valid"][:FACES]
    kinds, rows = [], []
    for source, face in enumerate(faces):
        generator, picture = np.random.default_rng([SEED, 3, source]), enlarged(face)
        base = look(bytes_of(picture), followed=False)
        if base is None or base[1] != "read":
            continue
        for kind in ["plain", *generator.choice(list(COVERS), 2, replace=False)]:
            site = Site(tinted(picture, generator), base[0].points[:, :2].astype(float), generator)
            pixels = bytes_of(coarse(DRAWINGS[str(kind)](site)))
            seen = look(pixels, followed=False)
            if seen is not None and seen[1] == "read":
                kinds.append(str(kind))
                rows.append(signs(pixels, seen[0]))
    plain_ones = np.array(kinds) == "plain"
    print("| sign | covers recognised at 2 % false alarms |\n|---|---|")
    for name in rows[0]:
        values = np.array([row[name] for row in rows])
        limit = np.quantile(values[plain_ones], 1 - FALSE_ALARMS)
        print(f"| {name} | {share(values[~plain_ones] > limit)} |")


if __name__ == "__main__":
    main()
