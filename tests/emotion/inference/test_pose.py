"""Head pose and gaze: of meshes whose truth is known, and of the photograph and its mirror image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emotion.inference.arrays import Pixels
from emotion.inference.faces import find_faces
from emotion.inference.gaze import MOST_YAW, REST_OUT, REST_UP, Gaze, find_gaze
from emotion.inference.landmarks import find_landmarks
from emotion.inference.pose import Pose, angles_of, find_pose, metric_points, pose_and_head
from emotion.inference.pose import rotation_of as turned
from tests.emotion.inference.meshes import canonical_mesh, photographed
from tests.emotion.inference.photographs import pixels
from tests.emotion.inference.versions import VERSIONS

SIDES = st.floats(-40, 40)


@settings(max_examples=60)
@given(SIDES, SIDES, SIDES, st.floats(-12, 12), st.floats(-9, 9), st.floats(-120, -50))
def test_a_mesh_before_the_camera_is_found_where_it_is(
    yaw: float, pitch: float, roll: float, x: float, y: float, z: float
) -> None:
    points = photographed(canonical_mesh(), (yaw, pitch, roll), (x, y, z), (1280, 720))
    found = find_pose(points, 1280, 720)
    off = turned(found.yaw, found.pitch, found.roll).T @ turned(yaw, pitch, roll)
    assert np.degrees(np.arccos(np.clip((np.trace(off) - 1) / 2, -1, 1))) < 1.5
    assert abs(np.array([found.x, found.y, found.z]) - [x, y, z]).max() < 0.04 * -z


@given(st.floats(-179, 179), st.floats(-89, 89), st.floats(-179, 179))
def test_angles_and_rotation_are_the_same_thing(yaw: float, pitch: float, roll: float) -> None:
    assert angles_of(turned(yaw, pitch, roll)) == pytest.approx((yaw, pitch, roll), abs=1e-6)


@pytest.mark.parametrize(
    ("angles", "moved"),
    [((20, 0, 0), (1, 0)), ((0, 20, 0), (0, -1))],
    ids=["to her left, right in the picture", "upwards"],
)
def test_signs_are_as_documented(
    angles: tuple[float, float, float], moved: tuple[int, int]
) -> None:
    """The tip of the nose goes where the face points."""
    straight = photographed(canonical_mesh(), (0, 0, 0), (0, 0, -60), (800, 600))
    looking = photographed(canonical_mesh(), angles, (0, 0, -60), (800, 600))
    way = (looking[1] - straight[1])[:2] @ moved
    assert way > 10
    found = find_pose(looking, 800, 600)
    assert (found.yaw, found.pitch, found.roll) == pytest.approx(angles, abs=1.0)


def test_roll_goes_to_the_right_shoulder() -> None:
    points = photographed(canonical_mesh(), (0, 0, 15), (0, 0, -60), (800, 600))
    assert points[10, 0] < points[152, 0], "the forehead lies left of the chin in the picture"
    assert find_pose(points, 800, 600).roll == pytest.approx(15, abs=0.5)


@pytest.mark.parametrize("degrees", [0, 10, 44, 60])
def test_turn_is_measured_from_the_line_of_sight(degrees: float) -> None:
    assert Pose(degrees, 0, 0, 0, 0, -60).turn == pytest.approx(degrees, abs=1e-3)
    # Standing to the right of the camera and looking straight ahead is looking past it.
    aside = Pose(0, 0, 0, 60 * np.tan(np.radians(degrees)), 0, -60)
    assert aside.turn == pytest.approx(degrees, abs=1e-3)
    towards = Pose(-degrees, 0, 0, 60 * np.tan(np.radians(degrees)), 0, -60)
    assert towards.turn == pytest.approx(0, abs=1e-3)


@settings(max_examples=40)
@given(st.floats(-30, 30), st.floats(-15, 15), st.floats(-25, 25), st.floats(-15, 15))
def test_gaze_of_turned_eyeballs_whatever_the_head_does(
    yaw: float, pitch: float, head_yaw: float, head_pitch: float
) -> None:
    mesh = canonical_mesh()
    for out, eye in ((-1, slice(468, 473)), (1, slice(473, 478))):
        mesh[eye, 0] += out * REST_OUT + np.sin(np.radians(yaw))
        mesh[eye, 1] += REST_UP + np.sin(np.radians(pitch))
    points = photographed(mesh, (head_yaw, head_pitch, 5), (3, -2, -70), (1280, 720))
    found = find_gaze(pose_and_head(metric_points(points, 1280, 720))[1])
    assert (found.yaw, found.pitch) == pytest.approx((yaw, pitch), abs=3)
    assert found.left_yaw == pytest.approx(found.right_yaw, abs=3)


def test_gaze_is_cut_off_where_no_eye_turns() -> None:
    mesh = canonical_mesh()
    mesh[468:, 0] += 5
    assert find_gaze(mesh).yaw == MOST_YAW


def read(image: Pixels) -> tuple[Pose, Gaze]:
    found = find_landmarks(image, find_faces(image)[0])
    assert found is not None
    pose, head = pose_and_head(metric_points(found.points, image.shape[1], image.shape[0]))
    return pose, find_gaze(head)


def test_mirroring_changes_the_sign_of_what_goes_sideways() -> None:
    plain, mirrored = read(pixels()), read(VERSIONS["mirrored"]())
    for one, other in zip(plain, mirrored, strict=True):
        assert one.yaw == pytest.approx(-other.yaw, abs=3)
        assert one.pitch == pytest.approx(other.pitch, abs=4)
    assert plain[0].roll == pytest.approx(-mirrored[0].roll, abs=1)
    assert plain[0].x == pytest.approx(-mirrored[0].x, abs=1)
    assert plain[1].left_yaw == pytest.approx(-mirrored[1].right_yaw, abs=4)


@pytest.mark.parametrize("name", ["scaled 0.7", "scaled 2", "darker"])
def test_size_and_light_leave_pose_and_gaze_as_they_are(name: str) -> None:
    plain, other = read(pixels()), read(VERSIONS[name]())
    assert (
        abs(
            np.array([other[0].yaw, other[0].pitch, other[0].roll])
            - [plain[0].yaw, plain[0].pitch, plain[0].roll]
        ).max()
        < 1.5
    )
    assert abs(plain[0].z - other[0].z) < 0.05 * -plain[0].z
    assert abs(plain[1].yaw - other[1].yaw) < 4
    assert abs(plain[1].pitch - other[1].pitch) < 6


def test_tilting_the_picture_is_roll() -> None:
    plain, tilted = read(pixels())[0], read(VERSIONS["tilted 20"]())[0]
    assert tilted.roll - plain.roll == pytest.approx(20, abs=2)
