"""A canonical face set before a camera of known angle, and what the landmarks of its picture would be."""

from __future__ import annotations

import io

import numpy as np

from emotion.inference.arrays import Array
from emotion.inference.models import model_bytes
from emotion.inference.pose import FIELD_OF_VIEW, Wide, rotation_of


def canonical_mesh() -> Wide:
    """The mesh (478, 3) in centimetres; the irises lie between the corners of the eyes, looking ahead."""
    with np.load(io.BytesIO(model_bytes("canonical_face.npz"))) as file:
        mesh = file["V"].astype(float)
    irises = np.zeros((10, 3))
    for at, (outer, inner) in ((0, (33, 133)), (5, (263, 362))):
        irises[at : at + 5] = (mesh[outer] + mesh[inner]) / 2
    return np.concatenate([mesh, irises])


def photographed(
    mesh: Wide,
    angles: tuple[float, float, float],
    place: tuple[float, float, float],
    size: tuple[int, int],
) -> Array:
    """Landmarks (478, 3) in pixels: true perspective in x and y, depth as wide pixels are at the face.

    angles: yaw, pitch, roll in degrees. place: centimetres, z negative. size: width and height.
    """
    width, height = size
    seen = mesh @ rotation_of(*angles).T + place
    focal = height / 2 / np.tan(np.radians(FIELD_OF_VIEW) / 2)
    away = -seen[:, 2]
    x = width / 2 + focal * seen[:, 0] / away
    y = height / 2 - focal * seen[:, 1] / away
    depth = (away - away[:468].mean()) * focal / away[:468].mean()
    return np.stack([x, y, depth], axis=1).astype(np.float32)
