"""What comes out: one reading of one photograph, as parts that are sealed and erased each on its own.

Schema version 2 (1 had votes instead of calibrated probabilities, and no set). Every value says its
unit, its range and its model; every part says its schema. A photograph that cannot be read is a reading
too, with a status that says why.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from emotion.inference.blendshapes import FACS_UNITS
from emotion.inference.expressions import ExpressionPack, expression_pack, expression_part
from emotion.inference.models import manifest
from emotion.inference.quality import THRESHOLDS

SCHEMA = 2
Part = dict[str, Any]

STATUSES = {
    "read": "One face was found and the photograph is good enough.",
    "no-face": "No face was found.",
    "several-faces": "More than one face was found; nobody is analysed.",
    "too-small": "The face has too few pixels.",
    "too-dark": "The face is too dark.",
    "too-bright": "Too much of the face is overexposed.",
    "too-blurred": "The face is too blurred.",
    "unclear": "The face is covered, cut off or upside down.",
    "turned-away": "The face is turned too far from the camera.",
}
FINDING = ("face_detector.onnx", "face_landmarks.onnx", "canonical_face.npz")
BLENDSHAPES = ("face_blendshapes.onnx",)


@dataclass(frozen=True)
class PhotoReading:
    """status: one of STATUSES; anything but "read" means that the models abstain, and why.

    faces: how many were found. quality: figures of ``quality.THRESHOLDS`` as far as they were measured,
    empty without a single face. expression and blendshapes: by name, or None when not asked for or
    abstained on. expression_pack: who read the expression; None is the product's own pack.
    """

    status: str
    faces: int
    quality: dict[str, float] = field(default_factory=dict)
    expression: dict[str, float] | None = None
    expression_pack: ExpressionPack | None = None
    blendshapes: dict[str, float] | None = None

    def parts(self) -> dict[str, Part]:
        """The JSON parts by data category; "summary" is always there."""
        found = {"summary": self.summary()}
        if self.expression is not None:
            found["expression"] = {"schema": SCHEMA} | expression_part(
                self.expression, self.expression_pack or expression_pack()
            )
        if self.blendshapes is not None:
            found["blendshapes"] = {
                "schema": SCHEMA,
                "unit": "share of the full movement",
                "range": [0, 1],
                "model": "MediaPipe face blendshapes V2",
                "models": model_versions(BLENDSHAPES),
                "values": self.blendshapes,
                "facs": FACS_UNITS,
            }
        return found

    def summary(self) -> Part:
        """Status and quality: nothing in it says what the face showed."""
        used = list(FINDING)
        used += BLENDSHAPES if self.blendshapes is not None else ()
        models = model_versions(used)
        packs = {}
        if self.expression is not None:
            pack = self.expression_pack or expression_pack()
            models |= pack.files
            packs["expression"] = pack.title
        return {
            "schema": SCHEMA,
            "status": self.status,
            "explanation": STATUSES[self.status],
            "abstained": self.status != "read",
            "faces": self.faces,
            "quality": self.quality,
            "quality_units": {name: THRESHOLDS[name].unit for name in self.quality},
            "models": models,
            "packs": packs,
        }


def model_versions(names: list[str] | tuple[str, ...]) -> dict[str, str]:
    """Each of these model files with its package, version and the start of its checksum."""
    known = manifest()
    return {
        name: f"{known[name]['package']} {known[name]['version']}, {known[name]['sha256'][:12]}"
        for name in names
    }
