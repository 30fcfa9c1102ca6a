"""What comes out: one reading of one photograph, as parts that are sealed and erased each on its own.

Schema version 2 (1 had votes instead of calibrated probabilities, no set, and only expression and
blendshapes). Every value says its unit, its range and its model; every part says its schema. A photograph
that cannot be read is a reading too, with a status that says why.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from emotion.inference.arrays import Array
from emotion.inference.asymmetry import FORMULA, PAIRS, blendshape_asymmetry
from emotion.inference.blendshapes import FACS_UNITS, NAMES
from emotion.inference.columns import BLENDSHAPE_MODEL, COLUMNS
from emotion.inference.expressions import ExpressionPack, expression_pack, expression_part
from emotion.inference.labels import LABELS
from emotion.inference.models import manifest
from emotion.inference.moments import Moment
from emotion.inference.quality import THRESHOLDS
from emotion.inference.sessions import engine
from emotion.inference.smile_marker import CANNOT_TELL, PROVES_NO_FEELING

SCHEMA = 2
Part = dict[str, Any]

STATUSES = {
    "read": "One face was found and the photograph is good enough.",
    "no-face": "No face was found.",
    "several-faces": "More than one face was found and none stands out; nobody is analysed.",
    "too-small": "The face has too few pixels.",
    "too-dark": "The face is too dark.",
    "too-bright": "Too much of the face is overexposed.",
    "too-blurred": "The face is too blurred.",
    "unclear": "The face is covered, cut off or upside down.",
    "turned-away": "The face is turned too far from the camera.",
    "covered": "Something seems to cover the mouth or an eye.",
    "moving": "The face moves too fast to be seen clearly.",
    "person-unclear": "It cannot be told which face is the data subject's; nobody is analysed.",
    "person-lost": "From here on it cannot be told which face is the data subject's; nobody is analysed.",
}
IN_A_PHOTOGRAPH = ("expression", "blendshapes", "head-pose", "gaze", "smile-marker")
"""The data categories that one picture can say something about; movement needs a film."""
FINDING = ("face_detector.onnx", "face_landmarks.onnx", "canonical_face.npz")
BLENDSHAPES = ("face_blendshapes.onnx",)
BODY = ("movenet_lightning.onnx",)


def named(names: tuple[str, ...], values: Array | None) -> dict[str, float] | None:
    """Values by their names; None stays None."""
    return None if values is None else dict(zip(names, map(float, values), strict=True))


@dataclass(frozen=True)
class PhotoReading:
    """A photograph's one moment; a status other than "read" means that the models abstain, and why."""

    moment: Moment
    expression_pack: ExpressionPack | None = None

    @property
    def pack(self) -> ExpressionPack:
        """Who read the expression: the given pack, or the product's own."""
        return self.expression_pack or expression_pack()

    @property
    def status(self) -> str:
        """One of STATUSES."""
        return self.moment.status

    @property
    def faces(self) -> int:
        """How many faces were found."""
        return self.moment.faces

    @property
    def quality(self) -> dict[str, float]:
        """Figures of ``quality.THRESHOLDS`` as far as they were measured."""
        return self.moment.quality

    @property
    def expression(self) -> dict[str, float] | None:
        """Probabilities by label, or None when not asked for or abstained on."""
        return named(LABELS, self.moment.expression)

    @property
    def blendshapes(self) -> dict[str, float] | None:
        """Movements by name, or None when not asked for or abstained on."""
        return named(NAMES, self.moment.blendshapes)

    def parts(self) -> dict[str, Part]:
        """The JSON parts by data category; "summary" is always there."""
        moment, found = self.moment, {"summary": self.summary()}
        if moment.expression is not None:
            told = expression_part(moment.expression, self.pack)
            found["expression"] = {"schema": SCHEMA} | told
        if moment.blendshapes is not None:
            found["blendshapes"] = blendshapes_part(moment.blendshapes)
        if moment.pose is not None:
            found["head-pose"] = described_part("head-pose", asdict(moment.pose), FINDING)
        if moment.gaze is not None:
            found["gaze"] = described_part("gaze", asdict(moment.gaze), FINDING)
        if moment.smile is not None:
            signs = described_part("smile-marker", asdict(moment.smile), (*FINDING, *BLENDSHAPES))
            found["smile-marker"] = signs | {
                "verdict": CANNOT_TELL,
                "why": "A single photograph shows no onset.",
                "note": PROVES_NO_FEELING,
            }
        return found

    def summary(self) -> Part:
        """Status and quality: nothing in it says what the face showed."""
        moment, used = self.moment, list(FINDING)
        if moment.blendshapes is not None or moment.smile is not None:
            used += BLENDSHAPES
        by_pack = moment.expression is not None
        return {
            "schema": SCHEMA,
            "status": self.status,
            "explanation": STATUSES[self.status],
            "abstained": self.status != "read",
            "faces": self.faces,
            "quality": self.quality,
            "quality_units": {name: THRESHOLDS[name].unit for name in self.quality},
            "models": model_versions(used) | (self.pack.files if by_pack else {}),
            "packs": {"expression": self.pack.title} if by_pack else {},
            "engine": engine(),
        }


def blendshapes_part(values: Array) -> Part:
    """The 52 movements, and how unevenly the paired ones go."""
    uneven = blendshape_asymmetry(values).tolist()
    return {
        "schema": SCHEMA,
        "unit": "share of the full movement",
        "range": [0, 1],
        "model": BLENDSHAPE_MODEL,
        "models": model_versions(BLENDSHAPES),
        "values": dict(zip(NAMES, map(float, values), strict=True)),
        "facs": FACS_UNITS,
        "asymmetry": {
            "range": [-1, 1],
            "formula": FORMULA,
            "values": {
                stem: None if math.isnan(value) else value
                for stem, value in zip(PAIRS, uneven, strict=True)
            },
        },
    }


def described_part(category: str, values: dict[str, float], files: tuple[str, ...]) -> Part:
    """A category of several quantities: each value with its own unit, range, model and note."""
    return {
        "schema": SCHEMA,
        "models": model_versions(files),
        "values": {
            column.name: {
                "value": float(values[column.name]),
                "unit": column.unit,
                "range": list(column.range),
                "model": column.model,
                "note": column.note,
            }
            for column in COLUMNS[category]
        },
    }


def model_versions(names: list[str] | tuple[str, ...]) -> dict[str, str]:
    """Each of these model files with its package, version and the start of its checksum."""
    known = manifest()
    return {
        name: f"{known[name]['package']} {known[name]['version']}, {known[name]['sha256'][:12]}"
        for name in names
    }
