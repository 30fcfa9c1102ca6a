"""Head pose: where a head is and which way it points, as MediaPipe's face geometry finds it.

The method of MediaPipe's ``face_geometry`` (Apache-2.0; ``geometry_pipeline.cc`` and
``procrustes_solver.cc``), written anew in numpy: the landmarks are set before a camera with a vertical
field of view of 63 degrees, a canonical mesh of a face in centimetres gives the scale, twice, and the
weighted orthogonal Procrustes problem (Kabsch 1976; scale after Umeyama 1991) the rest. The real camera's
field of view is unknown, so distances are rough (wrong in the ratio of the tangents of half the angles);
the angles hardly depend on it.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from emotion.inference.arrays import Array
from emotion.inference.models import model_bytes

FIELD_OF_VIEW = 63.0
"""Vertical, in degrees; MediaPipe's value for an unknown camera."""
MESH_POINTS = 468

Wide = NDArray[np.float64]


@dataclass(frozen=True)
class Pose:
    """A head before the camera.

    yaw, pitch, roll: degrees, 0 when the head looks along the camera's axis. yaw: positive to the person's
    own left (right in the image). pitch: positive upwards. roll: positive towards the person's own right
    shoulder (left in the image). They turn in the order roll, pitch, yaw; range -180 to 180, pitch -90
    to 90.
    x, y, z: centimetres of the mesh's origin (inside the head, behind the bridge of the nose) from the
    camera: x to the right in the image, y up, z towards the viewer, so that z is negative.
    """

    yaw: float
    pitch: float
    roll: float
    x: float
    y: float
    z: float

    @property
    def rotation(self) -> Wide:
        """The rotation (3, 3) from the head's axes to the camera's: x to the person's left, y up, z out."""
        return rotation_of(self.yaw, self.pitch, self.roll)

    @property
    def turn(self) -> float:
        """Degrees between where the face points and the camera: 0 when it points straight at it."""
        to_camera = -np.array([self.x, self.y, self.z])
        cosine = self.rotation[:, 2] @ to_camera / max(float(np.linalg.norm(to_camera)), 1e-9)
        return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))


def rotation_of(yaw: float, pitch: float, roll: float) -> Wide:
    """The rotation (3, 3) of three angles in degrees: first roll, then pitch, then yaw."""
    y, p, r = np.radians([yaw, pitch, roll])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    found: Wide = about_y @ about_x @ about_z
    return found


def angles_of(rotation: Wide) -> tuple[float, float, float]:
    """Yaw, pitch and roll in degrees of a rotation (3, 3)."""
    yaw = np.arctan2(rotation[0, 2], rotation[2, 2])
    pitch = np.arcsin(np.clip(rotation[1, 2], -1.0, 1.0))
    roll = np.arctan2(rotation[1, 0], rotation[1, 1])
    return float(np.degrees(yaw)), float(np.degrees(pitch)), float(np.degrees(roll))


@cache
def canonical_face() -> tuple[NDArray[np.int64], Wide, Wide]:
    """The landmarks that hold still in any expression, of a face that looks straight.

    Returns indices (33,), mesh points (33, 3) in centimetres and weights (33, 1), which sum to 1.
    """
    with np.load(io.BytesIO(model_bytes("canonical_face.npz"))) as file:
        ids, weights = file["ids"], file["w"].astype(np.float64)
        return ids, file["V"][ids].astype(np.float64), (weights / weights.sum())[:, None]


def fitted(seen: Wide) -> tuple[float, Wide, Wide]:
    """Scale, rotation (3, 3) and shift (3,) that lay the canonical points on the seen ones (33, 3).

    The weighted orthogonal Procrustes problem: seen = scale · rotation · mesh + shift.
    """
    _ids, mesh, weights = canonical_face()
    mesh_centre = (mesh * weights).sum(axis=0)
    centred = mesh - mesh_centre
    covariance = (seen * weights).T @ centred
    left, _sizes, right = np.linalg.svd(covariance)
    left[:, 2] *= np.sign(np.linalg.det(left) * np.linalg.det(right))
    rotation: Wide = left @ right
    scale = float((covariance * rotation).sum() / (weights * centred * centred).sum())
    shift: Wide = (seen * weights).sum(axis=0) - scale * rotation @ mesh_centre
    return scale, rotation, shift


def near_plane(points: Array, width: int, height: int) -> Wide:
    """Landmarks (n, 3) in pixels as they lie on the plane at distance 1; x right, y up, z away."""
    pixel = 2.0 * np.tan(np.radians(FIELD_OF_VIEW) / 2) / height
    flat: Wide = (points - [width / 2, height / 2, 0.0]) * [pixel, -pixel, pixel]
    return flat


def pushed_back(flat: Wide, depth: float, scale: float) -> Wide:
    """Points of the near plane at their distance: a scale of the mesh to 1 cm, then perspective undone."""
    away = (flat[:, 2] - depth + 1.0) / scale
    return np.stack([flat[:, 0] * away, flat[:, 1] * away, -away], axis=1)


def metric_points(points: Array, width: int, height: int) -> Wide:
    """Landmarks (n, 3) in pixels of an image so large, as points before the camera in centimetres (n, 3).

    n is 468 or more; the axes are those of ``Pose``.
    """
    ids = canonical_face()[0]
    flat = near_plane(points, width, height)
    depth = float(flat[:MESH_POINTS, 2].mean())
    first = fitted(flat[ids] * [1.0, 1.0, -1.0])[0]
    second = fitted(pushed_back(flat[ids], depth, first))[0]
    return pushed_back(flat, depth, first * second)


def pose_of(metric: Wide) -> Pose:
    """The pose of a head whose landmarks lie so before the camera (``metric_points``)."""
    _scale, rotation, shift = fitted(metric[canonical_face()[0]])
    return Pose(*angles_of(rotation), *(float(value) for value in shift))


def find_pose(points: Array, width: int, height: int) -> Pose:
    """The head pose from landmarks (468 or more, 3) in pixels of an image so large."""
    return pose_of(metric_points(points, width, height))


def in_head(metric: Wide) -> Wide:
    """Points before the camera (n, 3) in the head's own axes, in centimetres of the canonical mesh.

    Turning or moving the head leaves them where they are; only what the face does moves them.
    """
    scale, rotation, shift = fitted(metric[canonical_face()[0]])
    inside: Wide = (metric - shift) @ rotation / scale
    return inside
