"""One face at one moment: everything that was asked for and could be measured, in plain arrays.

A photograph is one moment at time 0; a film is a row of them. What was not asked for, not due at this
moment (a rate of its own) or abstained on is None, and ``series`` makes NaN of it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from emotion.inference.arrays import Array
from emotion.inference.blendshapes import find_blendshapes
from emotion.inference.expressions import ExpressionPack, find_expression
from emotion.inference.faces import Face
from emotion.inference.gaze import Gaze, find_gaze
from emotion.inference.landmarks import Landmarks, find_landmarks
from emotion.inference.occlusion import cover
from emotion.inference.pictures import Picture
from emotion.inference.pose import Pose, metric_points, pose_and_head
from emotion.inference.quality import measure_quality, verdict
from emotion.inference.smile_signs import SmileSigns, find_smile_signs


@dataclass(frozen=True)
class Moment:
    """time: seconds since the first picture. status: one of ``readings.STATUSES``. faces: how many were
    found.

    quality: figures of ``quality.THRESHOLDS`` as far as they were measured. expression: (7,) in the
    order of ``expressions.LABELS``. blendshapes: (52,) in the order of ``blendshapes.NAMES``. body: (17,
    3), see ``body``; it is measured whether or not the face could be read.
    """

    time: float
    status: str
    faces: int
    quality: dict[str, float] = field(default_factory=dict)
    expression: Array | None = None
    blendshapes: Array | None = None
    pose: Pose | None = None
    gaze: Gaze | None = None
    smile: SmileSigns | None = None
    body: Array | None = None


def read_moment(
    picture: Picture,
    face: Face,
    categories: Collection[str],
    *,
    time: float = 0.0,
    faces: int = 1,
    landmarks: Landmarks | None = None,
    motion: float | None = None,
    pack: ExpressionPack | None = None,
) -> Moment:
    """Read the one face in a picture, measuring only the asked data categories.

    categories: of "expression", "blendshapes", "head-pose", "gaze" and "smile-marker"; leave one out at
    moments where it is not due. landmarks: where a tracker has them already, then ``face`` is
    ``landmarks.face``; else they are found here. motion: ``quality.motion`` since the moment
    before, if there was one. Raises ModelIntegrityError when a model file is not the one of the
    manifest.
    """
    quality = measure_quality(picture, face)
    if motion is not None:
        quality["motion"] = motion
    status = verdict(quality)
    if status != "read":
        return Moment(time, status, faces, quality)
    landmarks = landmarks or find_landmarks(picture, face)
    if landmarks is None:  # what looked like a face is none
        return Moment(time, "no-face", faces - 1)
    height, width = picture.shape[:2]
    pose, head = pose_and_head(metric_points(landmarks.points, width, height))
    quality |= {
        "certainty": landmarks.presence,
        "turn_degrees": pose.turn,
        "covered": cover(landmarks.cells),
    }
    status = verdict(quality)
    if status != "read":
        return Moment(time, status, faces, quality)
    moved = None
    if {"blendshapes", "smile-marker"} & set(categories):
        moved = find_blendshapes(landmarks)
    return Moment(
        time,
        status,
        faces,
        quality,
        expression=find_expression(picture, landmarks, pack)
        if "expression" in categories
        else None,
        blendshapes=moved if "blendshapes" in categories else None,
        pose=pose if "head-pose" in categories else None,
        gaze=find_gaze(head) if "gaze" in categories else None,
        smile=find_smile_signs(head, moved)
        if moved is not None and "smile-marker" in categories
        else None,
    )
