"""Gaze relative to the head: a rough angle from where the irises lie between the corners of the eyes.

The eye is taken as a ball whose iris lies 1.0 cm before its centre (Gullstrand's eye: about 1.0 cm from the
centre of rotation to the plane of the iris), and whose centre lies behind the middle between the inner
and the outer corner. Then, in the head's own axes (``pose.pose_and_head``), with d the iris centre minus
the middle of the corners, in centimetres, and r that radius:

    yaw = arcsin((dx - REST_OUT) / r), pitch = arcsin((dy - REST_UP) / r)

The rest is where the iris lies in an eye that looks straight ahead: a little outwards and above the
corners. It is the median of 1,218 photographs of FER2013, taken as looking at the camera on the whole;
that is a convention. It is not an eye tracker: nobody is calibrated, faces differ from that median by a
millimetre and more, and 0.1 cm is 6 degrees. Say 10 degrees off for a face seen from the front, more for
one turned away or with half-closed eyes; no true directions were at hand to measure it. Changes within
one film are better than that, because what is wrong about a person stays.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from emotion.inference.pose import Wide

RADIUS = 1.0
REST_OUT, REST_UP = 0.025, 0.18
MOST_YAW, MOST_PITCH = 45.0, 35.0
"""Beyond what an eye turns to; larger angles are cut off here."""
# The person's right eye, then the left: which way is out along x, iris centre, outer corner, inner corner.
EYES = ((-1, 468, 33, 133), (1, 473, 263, 362))


@dataclass(frozen=True)
class Gaze:
    """Degrees relative to the head; yaw positive to the person's own left, pitch positive upwards.

    yaw and pitch: the mean of both eyes. The others: each eye alone.
    """

    yaw: float
    pitch: float
    left_yaw: float
    left_pitch: float
    right_yaw: float
    right_pitch: float


def eye_angles(head: Wide, out: int, iris: int, outer: int, inner: int) -> tuple[float, float]:
    """Yaw and pitch in degrees of one eye, from landmarks in the head's axes (478, 3) in centimetres."""
    (x, y), middle = head[iris, :2], (head[outer, :2] + head[inner, :2]) / 2
    yaw = turned(x - middle[0] - out * REST_OUT, MOST_YAW)
    return yaw, turned(y - middle[1] - REST_UP, MOST_PITCH)


def turned(moved: float, most: float) -> float:
    """Degrees by which an eye is turned whose iris moved so many centimetres, at most ``most``."""
    angle = math.degrees(math.asin(max(-1.0, min(1.0, moved / RADIUS))))
    return max(-most, min(most, angle))


def find_gaze(head: Wide) -> Gaze:
    """The gaze from all landmarks in the head's axes (478, 3) in centimetres (``pose.pose_and_head``)."""
    right, left = (eye_angles(head, *eye) for eye in EYES)
    yaw, pitch = (left[0] + right[0]) / 2, (left[1] + right[1]) / 2
    return Gaze(yaw, pitch, *left, *right)
