"""What of a smile one moment shows: the corners of the mouth, the cheeks and the eyes, each with its side.

The blendshape model leaves ``cheekSquint`` (cheek raise, AU6) at nothing whatever a face does: at most
0.00005 in 1,218 photographs of FER2013, half of them labelled happy. So cheeks are measured by the mesh
itself, in the head's own axes: how high the skin under the eye stands against the eye's corners. That
height differs from person to person more (0.02 of the distance between the eyes) than happy from neutral
faces (0.015): only its change within one smile means anything.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from emotion.inference.arrays import Array
from emotion.inference.blendshapes import NAMES
from emotion.inference.pose import Wide

# The skin under the eye, upper edge of the cheek: of all points of the cheek those whose height told happy
# from neutral photographs best (area under the curve 0.72, the cheek's middle 0.67, its lower part 0.62).
LEFT_CHEEK, RIGHT_CHEEK = [346, 347, 348], [117, 118, 119]
LEFT_CORNERS, RIGHT_CORNERS = [263, 362], [33, 133]
LIP_LEFT, LIP_RIGHT = NAMES.index("mouthSmileLeft"), NAMES.index("mouthSmileRight")
EYE_LEFT, EYE_RIGHT = NAMES.index("eyeSquintLeft"), NAMES.index("eyeSquintRight")


@dataclass(frozen=True)
class SmileSigns:
    """lip_left, lip_right: how far each corner of the mouth is pulled up, blendshapes 0 to 1.

    cheek_left, cheek_right: how high each cheek stands, as a share of the distance between the outer
    corners of the eyes; below the eyes, so negative, and less so in a raised cheek. eye_left, eye_right:
    how far each eye is narrowed, blendshapes 0 to 1.
    """

    lip_left: float
    lip_right: float
    cheek_left: float
    cheek_right: float
    eye_left: float
    eye_right: float


def find_smile_signs(head: Wide, blendshapes: Array) -> SmileSigns:
    """The signs from landmarks in the head's axes (478, 3) and the blendshapes (52,)."""
    across = math.dist(head[263], head[33])
    heights = head[:, 1]

    def height(cheek: list[int], corners: list[int]) -> float:
        return float(
            (sum(heights[cheek]) / len(cheek) - sum(heights[corners]) / len(corners)) / across
        )

    return SmileSigns(
        lip_left=float(blendshapes[LIP_LEFT]),
        lip_right=float(blendshapes[LIP_RIGHT]),
        cheek_left=height(LEFT_CHEEK, LEFT_CORNERS),
        cheek_right=height(RIGHT_CHEEK, RIGHT_CORNERS),
        eye_left=float(blendshapes[EYE_LEFT]),
        eye_right=float(blendshapes[EYE_RIGHT]),
    )
