"""The columns of a series: what each holds, in which unit and range, from which model and by which formula.

``series`` fills them. The schema's number changes whenever a column is renamed, removed or comes to mean
something else; a new column does not change it.
"""

from __future__ import annotations

from dataclasses import dataclass

from emotion.inference.blendshapes import FACS_UNITS, NAMES
from emotion.inference.body import POINTS
from emotion.inference.gaze import MOST_PITCH, MOST_YAW
from emotion.inference.indices import ACTIVATION, VALENCE
from emotion.inference.labels import LABELS
from emotion.inference.quality import THRESHOLDS

SERIES_SCHEMA = 1

Range = tuple[float | None, float | None]
SHARE: Range = (0.0, 1.0)
OPEN: Range = (None, None)

EXPRESSION_MODEL = "the model pack named in the summary"
BLENDSHAPE_MODEL = "MediaPipe face blendshapes V2"
MESH_MODEL = "MediaPipe face mesh V2"
POSE_MODEL = f"{MESH_MODEL}, canonical face and weighted Procrustes"
BODY_MODEL = "MoveNet Lightning"


@dataclass(frozen=True)
class Column:
    """One column. range: least and most, None where there is no bound. note: a formula, or what it is
    near."""

    name: str
    unit: str
    range: Range
    model: str
    note: str = ""


TIME = Column("time", "seconds since the first picture", (0.0, None), "the film's own time stamps")


def side_free(name: str) -> str:
    """A blendshape's name without its side."""
    return name.removesuffix("Left").removesuffix("Right")


def facs_note(name: str) -> str:
    """The FACS unit that a blendshape is near, if any."""
    unit = FACS_UNITS.get(side_free(name))
    return f"near FACS {unit}, not a coded action unit" if unit else ""


SUMMARY = (
    Column("status", "why nothing was read, or read", OPEN, "quality.THRESHOLDS"),
    Column("faces", "faces found", (0.0, None), "the face finder"),
    *(
        Column(name, rule.unit, OPEN, "quality.THRESHOLDS", rule.reason)
        for name, rule in THRESHOLDS.items()
    ),
)
EXPRESSION = (
    *(Column(label, "probability", SHARE, EXPRESSION_MODEL) for label in LABELS),
    Column("valence_index", "index", (-1.0, 1.0), EXPRESSION_MODEL, VALENCE),
    Column("activation_index", "index", SHARE, EXPRESSION_MODEL, ACTIVATION),
)
BLENDSHAPES = tuple(
    Column(name, "share of the full movement", SHARE, BLENDSHAPE_MODEL, facs_note(name))
    for name in NAMES
)
HEAD_POSE = (
    Column("yaw", "degrees", (-180.0, 180.0), POSE_MODEL, "positive to the person's own left"),
    Column("pitch", "degrees", (-90.0, 90.0), POSE_MODEL, "positive upwards"),
    Column(
        "roll", "degrees", (-180.0, 180.0), POSE_MODEL, "positive to the person's right shoulder"
    ),
    Column("x", "centimetres", OPEN, POSE_MODEL, "to the right in the picture; rough"),
    Column("y", "centimetres", OPEN, POSE_MODEL, "up; rough"),
    Column("z", "centimetres", (None, 0.0), POSE_MODEL, "towards the camera; rough"),
)
GAZE = tuple(
    Column(
        f"{eye}{angle}",
        "degrees relative to the head",
        (-most, most),
        MESH_MODEL,
        "rough: arcsin of the iris's way from the middle of the eye's corners, over 1.0 cm",
    )
    for eye in ("", "left_", "right_")
    for angle, most in (("yaw", MOST_YAW), ("pitch", MOST_PITCH))
)
SMILE_MARKER = (
    Column("lip_left", "share of the full movement", SHARE, BLENDSHAPE_MODEL, "mouthSmileLeft"),
    Column("lip_right", "share of the full movement", SHARE, BLENDSHAPE_MODEL, "mouthSmileRight"),
    Column(
        "cheek_left",
        "share of the distance between the eyes",
        OPEN,
        MESH_MODEL,
        "height below the eye",
    ),
    Column(
        "cheek_right",
        "share of the distance between the eyes",
        OPEN,
        MESH_MODEL,
        "height below the eye",
    ),
    Column("eye_left", "share of the full movement", SHARE, BLENDSHAPE_MODEL, "eyeSquintLeft"),
    Column("eye_right", "share of the full movement", SHARE, BLENDSHAPE_MODEL, "eyeSquintRight"),
)
BODY_MOTION = tuple(
    Column(f"{point}_{what}", unit, limits, BODY_MODEL)
    for point in POINTS
    for what, unit, limits in (
        ("x", "share of the picture's longer side, from the left", OPEN),
        ("y", "share of the picture's longer side, from the top", OPEN),
        ("score", "the model's certainty", SHARE),
    )
)

COLUMNS: dict[str, tuple[Column, ...]] = {
    "summary": SUMMARY,
    "expression": EXPRESSION,
    "blendshapes": BLENDSHAPES,
    "head-pose": HEAD_POSE,
    "gaze": GAZE,
    "smile-marker": SMILE_MARKER,
    "body-motion": BODY_MOTION,
}
"""By data category, ``time`` not named: every table has it first. "summary" is no category: it says why
there is no reading, and nothing of what the face showed."""
