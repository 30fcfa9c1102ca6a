"""One photograph: find the face, judge the quality, measure what was asked for."""

from __future__ import annotations

from collections.abc import Collection

from emotion.inference.arrays import Pixels
from emotion.inference.blendshapes import find_blendshapes
from emotion.inference.expressions import ExpressionPack, find_expression
from emotion.inference.faces import find_faces
from emotion.inference.landmarks import find_landmarks
from emotion.inference.pose import turn_degrees
from emotion.inference.quality import measure_quality, verdict
from emotion.inference.readings import PhotoReading


def analyse_photo(
    pixels: Pixels, categories: Collection[str], pack: ExpressionPack | None = None
) -> PhotoReading:
    """Read the one face in an RGB image (H, W, 3), measuring only the asked data categories.

    ``categories``: of "expression" and "blendshapes". ``pack``: who reads the expression; None is the
    product's own. No face, several faces or too poor a picture give a reading that says so; other people
    in the picture are never analysed. Raises ModelIntegrityError when a model file is not the one of its
    manifest.
    """
    faces = find_faces(pixels)
    if len(faces) != 1:
        return PhotoReading("several-faces" if faces else "no-face", len(faces))
    quality = measure_quality(pixels, faces[0])
    status = verdict(quality)
    if status != "read":
        return PhotoReading(status, 1, quality)
    landmarks = find_landmarks(pixels, faces[0])
    if landmarks is None:  # what looked like a face is none
        return PhotoReading("no-face", 0)
    quality["certainty"] = landmarks.presence
    quality["turn_degrees"] = turn_degrees(landmarks.points)
    status = verdict(quality)
    if status != "read":
        return PhotoReading(status, 1, quality)
    return PhotoReading(
        status,
        1,
        quality,
        expression=find_expression(pixels, landmarks, pack) if "expression" in categories else None,
        expression_pack=pack,
        blendshapes=find_blendshapes(landmarks) if "blendshapes" in categories else None,
    )
