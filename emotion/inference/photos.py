"""One photograph: find the face, judge the quality, measure what was asked for."""

from __future__ import annotations

from collections.abc import Collection

from emotion.inference.arrays import Pixels
from emotion.inference.covering import standing_out
from emotion.inference.expressions import ExpressionPack
from emotion.inference.faces import find_faces
from emotion.inference.moments import Moment, read_moment
from emotion.inference.readings import PhotoReading


def analyse_photo(
    pixels: Pixels, categories: Collection[str], pack: ExpressionPack | None = None
) -> PhotoReading:
    """Read the person's face in an RGB image (H, W, 3), measuring only the asked data categories.

    ``categories``: of ``readings.IN_A_PHOTOGRAPH``. ``pack``: who reads the expression; None is the
    product's own. No face, several of which none stands out, or too poor a picture give a reading that
    says so; other people in the picture are never analysed. Raises ModelIntegrityError when a model file
    is not the one of the manifest.
    """
    faces = find_faces(pixels)
    person = standing_out(faces)
    if person is None:
        found = Moment(0.0, "several-faces" if faces else "no-face", len(faces))
    else:
        found = read_moment(pixels, person, categories, faces=len(faces), pack=pack)
    return PhotoReading(found, pack)
