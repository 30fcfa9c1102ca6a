"""One face at one moment: everything that was asked for and could be measured, in plain arrays.

A photograph is one moment at time 0; a film is a row of them. What was not asked for, not due at this
moment (a rate of its own) or abstained on is None, and ``series`` makes NaN of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

from emotion.inference.arrays import Array
from emotion.inference.blendshapes import find_blendshapes
from emotion.inference.expressions import ExpressionPack, find_expression
from emotion.inference.faces import Face
from emotion.inference.gaze import Gaze, find_gaze
from emotion.inference.landmarks import Landmarks, find_landmarks
from emotion.inference.occlusion import cover
from emotion.inference.pictures import Picture
from emotion.inference.pose import Pose, Wide, metric_points, pose_and_head
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


@dataclass(frozen=True)
class Rest:
    """Measures what a moment still lacks, which needs its landmarks and not its picture.

    expressed: whether its expression was read, which is known before.
    """

    measure: Callable[[], Moment]
    expressed: bool = False

    def __call__(self) -> Moment:
        """The whole moment."""
        return self.measure()


def read_moment(
    picture: Picture,
    face: Face,
    categories: Collection[str],
    *,
    faces: int = 1,
    pack: ExpressionPack | None = None,
) -> Moment:
    """Read the one face in a photograph; the arguments are those of ``begin_moment``."""
    return begin_moment(picture, face, categories, faces=faces, pack=pack)()


def begin_moment(
    picture: Picture,
    face: Face,
    categories: Collection[str],
    *,
    time: float = 0.0,
    faces: int = 1,
    landmarks: Landmarks | None = None,
    motion: float | None = None,
    pack: ExpressionPack | None = None,
) -> Rest:
    """Measure of the one face in a picture what needs the picture; what comes back measures the rest.

    categories: of "expression", "blendshapes", "head-pose", "gaze" and "smile-marker"; leave one out at
    moments where it is not due. landmarks: where a tracker has them already, then ``face`` is
    ``landmarks.face``; else they are found here. motion: ``quality.motion`` since the moment
    before, if there was one. Raises ModelIntegrityError when a model file is not the one of the
    manifest, as does the rest.
    """
    landmarks = landmarks or find_landmarks(picture, face)
    quality = measure_quality(picture, face, landmarks)
    if motion is not None:
        quality["motion"] = motion
    found = Moment(time, verdict(quality), faces, quality)
    if found.status != "read":
        return Rest(lambda: found)
    if landmarks is None:  # what looked like a face is none
        return Rest(partial(Moment, time, "no-face", faces - 1))
    seen = SeenFace(found, landmarks, picture.shape[1], picture.shape[0])
    expression = None
    if "expression" in categories and seen.status == "read":
        expression = find_expression(picture, landmarks, pack)
    measure = partial(seen.measured, frozenset(categories), expression)
    return Rest(measure, expressed=expression is not None)


@dataclass(frozen=True)
class SeenFace:
    """What was seen of a face, from which the rest follows. width, height: of the picture, pixels."""

    moment: Moment
    landmarks: Landmarks
    width: int
    height: int

    @cached_property
    def posed(self) -> tuple[Pose, Wide]:
        """The head's pose, and its points in its own axes."""
        return pose_and_head(metric_points(self.landmarks.points, self.width, self.height))

    @cached_property
    def quality(self) -> dict[str, float]:
        """All figures of ``quality.THRESHOLDS``."""
        return self.moment.quality | {
            "certainty": self.landmarks.presence,
            "turn_degrees": self.posed[0].turn,
            "covered": cover(self.landmarks.cells),
        }

    @cached_property
    def status(self) -> str:
        """What all of them say."""
        return verdict(self.quality)

    def measured(self, categories: frozenset[str], expression: Array | None) -> Moment:
        """The whole moment."""
        judged = replace(self.moment, status=self.status, quality=self.quality)
        if judged.status != "read":
            return judged
        (pose, head), moved = self.posed, None
        if {"blendshapes", "smile-marker"} & categories:
            moved = find_blendshapes(self.landmarks)
        return replace(
            judged,
            expression=expression,
            blendshapes=moved if "blendshapes" in categories else None,
            pose=pose if "head-pose" in categories else None,
            gaze=find_gaze(head) if "gaze" in categories else None,
            smile=find_smile_signs(head, moved)
            if moved is not None and "smile-marker" in categories
            else None,
        )
