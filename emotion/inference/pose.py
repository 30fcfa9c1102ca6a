"""How far a face is turned away from the camera, by comparing its mesh with a face that looks straight."""

from __future__ import annotations

import io
from functools import cache

import numpy as np
from numpy.typing import NDArray

from emotion.inference.arrays import Array
from emotion.inference.models import model_bytes

# The landmarks' y grows downwards and z away from the viewer; the canonical mesh has both the other way.
TO_MESH_AXES = np.array([1.0, -1.0, -1.0])

Wide = NDArray[np.float64]


@cache
def canonical_face() -> tuple[NDArray[np.int64], Wide, Wide]:
    """The landmarks that hold still in any expression, of a face that looks straight.

    Returns indices (33,), mesh points (33, 3) and weights (33, 1), which sum to 1.
    """
    with np.load(io.BytesIO(model_bytes("canonical_face.npz"))) as file:
        ids, weights = file["ids"], file["w"].astype(np.float64)
        return ids, file["V"][ids].astype(np.float64), (weights / weights.sum())[:, None]


def turn_degrees(points: Array) -> float:
    """The angle in degrees between where the face points (478, 3) look and the camera's axis.

    Weighted orthogonal Procrustes (Kabsch 1976) under weak perspective, which is a degree or two off
    near the camera: enough to say "turned away", not a head pose.
    """
    ids, mesh, weights = canonical_face()
    seen = points[ids].astype(np.float64) * TO_MESH_AXES
    mesh_centre, seen_centre = (mesh * weights).sum(axis=0), (seen * weights).sum(axis=0)
    covariance = ((mesh - mesh_centre) * weights).T @ (seen - seen_centre)
    left, _sizes, right = np.linalg.svd(covariance)
    sign = np.sign(np.linalg.det(right.T @ left.T))
    rotation = right.T @ np.diag([1.0, 1.0, sign]) @ left.T
    return float(np.degrees(np.arccos(np.clip(rotation[2, 2], -1.0, 1.0))))
