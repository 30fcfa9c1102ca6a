"""Make a pack's reference vectors: faces with what each model and the whole pack say of them.

The faces are one photograph in the public domain (tools/data), pulled about and tinted by a seed so that
the models are unsure and colours matter: only such faces show a swapped label or channel. ``manage.py
models add`` compares with them; run this only on a pack that is known to be right.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from emotion.inference.crops import resized, tight_crop
from emotion.inference.expressions import expression_pack
from emotion.inference.faces import find_faces
from emotion.inference.labels import LABELS
from emotion.inference.landmarks import find_landmarks
from training.fitting import Array

PHOTO = Path(__file__).resolve().parent.parent / "tools" / "data" / "astronaut.jpg"
SIDE = 112
CANDIDATES, KEPT = 240, 6
APART = 0.2


def face() -> Array:
    """The face of the photograph, (SIDE, SIDE, 3), as the pipeline would crop it."""
    pixels = cv2.cvtColor(cv2.imread(str(PHOTO)), cv2.COLOR_BGR2RGB)
    (found,) = find_faces(pixels)
    landmarks = find_landmarks(pixels, found)
    assert landmarks is not None  # noqa: S101  # there is one photograph, and it has a face
    return tight_crop(pixels, landmarks, SIDE).astype(np.uint8)


def pulled_about(crop: Array, seed: int) -> Array:
    """The face with smooth random shifts and a tint."""
    generator = np.random.default_rng(seed)
    width = generator.uniform(5, 16)
    strength = generator.uniform(3, 12) * 2 * np.sqrt(np.pi) * width  # pixels, as one deviation
    rows, columns = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    shifts = [
        cv2.GaussianBlur(
            generator.normal(0, strength, (SIDE, SIDE)).astype(np.float32), (0, 0), width
        )
        for _ in range(2)
    ]
    moved = cv2.remap(
        crop,
        columns + shifts[0],
        rows + shifts[1],
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    tint = generator.uniform(0.35, 1.15, 3)
    return np.clip(moved * tint, 0, 255).astype(np.uint8)


def telling(votes: Array) -> list[int]:
    """Of many faces the few that tell most pairs of classes apart in every model. votes: (m, n, k)."""
    pairs = np.triu_indices(votes.shape[2], 1)
    apart = np.abs(votes[:, :, pairs[0]] - votes[:, :, pairs[1]])  # (m, n, pairs)
    chosen: list[int] = [0]  # the face as it is
    while len(chosen) < KEPT:
        reached = np.minimum(apart[:, chosen].max(axis=1, keepdims=True), APART)
        gains = (np.minimum(np.maximum(apart, reached), APART) - reached).sum(axis=(0, 2))
        chosen.append(int(gains.argmax()))
    return chosen


def write_references(folder: Path) -> None:
    """Write a pack's ``references.npz``; its manifest still needs the checksum."""
    pack = expression_pack(folder)
    crop = face()
    many = np.stack([crop, *(pulled_about(crop, seed) for seed in range(CANDIDATES))])
    images = many[telling(pack.member_votes(lambda size: resized(many, size)))]
    votes = pack.member_votes(lambda size: resized(images, size))
    np.savez_compressed(
        folder / "references.npz",
        images=images,
        labels=np.array(LABELS),
        votes=votes.astype(np.float32),
        probabilities=pack.calibration.probabilities(votes.mean(axis=0)).astype(np.float32),
    )
