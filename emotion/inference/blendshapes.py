"""52 blendshapes (ARKit's names) from 146 of the landmarks: how far each facial movement goes.

They stand in for action units and are called what they are. Values 0 (not at all) to 1 (fully); the
first, ``_neutral``, is kept because the model gives it.
"""

from __future__ import annotations

from emotion.inference.arrays import Array
from emotion.inference.landmarks import Landmarks
from emotion.inference.sessions import run

# fmt: off
POINTS = [
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63,
    65, 66, 67, 70, 78, 80, 81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133,
    136, 144, 145, 146, 148, 149, 150, 152, 153, 154, 155, 157, 158, 159, 160, 161, 162, 163,
    168, 172, 173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251, 263, 267, 269, 270,
    276, 282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317,
    318, 321, 323, 324, 332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379,
    380, 381, 382, 384, 385, 386, 387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454,
    466, 468, 469, 470, 471, 472, 473, 474, 475, 476, 477,
]
NAMES = (
    "_neutral",
    "browDownLeft",
    "browDownRight",
    "browInnerUp",
    "browOuterUpLeft",
    "browOuterUpRight",
    "cheekPuff",
    "cheekSquintLeft",
    "cheekSquintRight",
    "eyeBlinkLeft",
    "eyeBlinkRight",
    "eyeLookDownLeft",
    "eyeLookDownRight",
    "eyeLookInLeft",
    "eyeLookInRight",
    "eyeLookOutLeft",
    "eyeLookOutRight",
    "eyeLookUpLeft",
    "eyeLookUpRight",
    "eyeSquintLeft",
    "eyeSquintRight",
    "eyeWideLeft",
    "eyeWideRight",
    "jawForward",
    "jawLeft",
    "jawOpen",
    "jawRight",
    "mouthClose",
    "mouthDimpleLeft",
    "mouthDimpleRight",
    "mouthFrownLeft",
    "mouthFrownRight",
    "mouthFunnel",
    "mouthLeft",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "mouthPressLeft",
    "mouthPressRight",
    "mouthPucker",
    "mouthRight",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthShrugUpper",
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthStretchLeft",
    "mouthStretchRight",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "noseSneerLeft",
    "noseSneerRight",
)
# fmt: on

FACS_UNITS = {
    "browInnerUp": "AU1",
    "browOuterUp": "AU2",
    "browDown": "AU4",
    "eyeWide": "AU5",
    "cheekSquint": "AU6",
    "eyeSquint": "AU7",
    "noseSneer": "AU9",
    "mouthUpperUp": "AU10",
    "mouthSmile": "AU12",
    "mouthDimple": "AU14",
    "mouthFrown": "AU15",
    "mouthLowerDown": "AU16",
    "mouthShrugLower": "AU17",
    "mouthPucker": "AU18",
    "mouthStretch": "AU20",
    "mouthFunnel": "AU22",
    "mouthPress": "AU24",
    "jawOpen": "AU26",
    "mouthRollLower": "AU28",
    "mouthRollUpper": "AU28",
    "jawForward": "AD29",
    "cheekPuff": "AD34",
    "eyeBlink": "AU45",
    "eyeLookUp": "AU63",
    "eyeLookDown": "AU64",
}
"""The nearest unit of the Facial Action Coding System (Ekman, Friesen, Hager 2002) by name without side.

A correspondence of meaning, not of measurement: a blendshape is not a coded action unit. Movements
without a near unit are left out.
"""


def find_blendshapes(landmarks: Landmarks) -> Array:
    """The values (52,) in the order of NAMES. The model takes (1, 146, 2): x and y in image pixels."""
    (values,) = run("face_blendshapes.onnx", landmarks.points[None, POINTS, :2])
    return values
