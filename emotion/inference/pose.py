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
import math
from dataclasses import dataclass
from functools import cache

import cv2
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
        yaw, pitch = math.radians(self.yaw), math.radians(self.pitch)
        level = math.cos(pitch)
        ahead = self.x * math.sin(yaw) * level + self.y * math.sin(pitch)
        ahead += self.z * math.cos(yaw) * level
        away = math.hypot(self.x, self.y, self.z)
        return math.degrees(math.acos(max(-1.0, min(1.0, -ahead / max(away, 1e-9)))))


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
    yaw = math.atan2(rotation[0, 2], rotation[2, 2])
    pitch = math.asin(max(-1.0, min(1.0, rotation[1, 2])))
    roll = math.atan2(rotation[1, 0], rotation[1, 1])
    return math.degrees(yaw), math.degrees(pitch), math.degrees(roll)


@dataclass(frozen=True)
class Canonical:
    """The landmarks that hold still in any expression, of a face that looks straight, in centimetres.

    ids: (33,); weights: (33, 1), summing to 1; centre: (3,), weighted; centred: (33, 3), around it; spread:
    the weighted sum of their squares.
    """

    ids: NDArray[np.int64]
    weights: Wide
    centre: Wide
    centred: Wide
    spread: float


@cache
def canonical_face() -> Canonical:
    """What every face is laid on. Raises ModelIntegrityError."""
    with np.load(io.BytesIO(model_bytes("canonical_face.npz"))) as file:
        ids, weights = file["ids"], file["w"].astype(np.float64)
        mesh = file["V"][ids].astype(np.float64)
    weights = (weights / weights.sum())[:, None]
    centre = (mesh * weights).sum(axis=0)
    centred = mesh - centre
    return Canonical(ids, weights, centre, centred, float((weights * centred**2).sum()))


def fitted(seen: Wide) -> tuple[float, Wide, Wide]:
    """Scale, rotation (3, 3) and shift (3,) that lay the canonical points on the seen ones (33, 3).

    The weighted orthogonal Procrustes problem: seen = scale · rotation · mesh + shift.
    """
    face = canonical_face()
    weighted = seen * face.weights
    covariance = weighted.T @ face.centred
    # OpenCV's way for small matrices takes a quarter of the time of numpy's (LAPACK).
    sizes, left, right = cv2.SVDecomp(covariance)
    if cv2.determinant(covariance) < 0:  # a mirror image would fit better: the best that is none
        left[:, 2] *= -1
        sizes[2] *= -1
    rotation: Wide = (left @ right).astype(np.float64, copy=False)
    scale = float(sizes.sum()) / face.spread
    shift: Wide = weighted.sum(axis=0) - scale * (rotation @ face.centre)
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
    ids = canonical_face().ids
    flat = near_plane(points, width, height)
    depth = float(flat[:MESH_POINTS, 2].mean())
    first = fitted(flat[ids] * [1.0, 1.0, -1.0])[0]
    second = fitted(pushed_back(flat[ids], depth, first))[0]
    return pushed_back(flat, depth, first * second)


def pose_and_head(metric: Wide) -> tuple[Pose, Wide]:
    """The pose of a head, and its landmarks in its own axes, from how they lie before the camera (n, 3).

    The latter are in centimetres of the canonical mesh: turning or moving the head leaves them where they
    are, and only what the face does moves them.
    """
    scale, rotation, shift = fitted(metric[canonical_face().ids])
    head: Wide = (metric - shift) @ (rotation / scale)
    return Pose(*angles_of(rotation), *(float(value) for value in shift)), head


def find_pose(points: Array, width: int, height: int) -> Pose:
    """The head pose from landmarks (468 or more, 3) in pixels of an image so large."""
    return pose_and_head(metric_points(points, width, height))[0]
