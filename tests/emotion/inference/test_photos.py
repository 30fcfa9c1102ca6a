"""The one real photograph, whole and made worse, through the complete reading."""

from __future__ import annotations

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest

from emotion.inference import faces
from emotion.inference.arrays import Pixels
from emotion.inference.blendshapes import FACS_UNITS, NAMES, POINTS
from emotion.inference.faces import (
    HALVES,
    QUARTERS,
    WHOLE,
    Face,
    covered,
    distinct,
    find_around,
    find_faces,
    tiles,
)
from emotion.inference.landmarks import Landmarks, find_landmarks
from emotion.inference.moments import Moment
from emotion.inference.photos import analyse_photo
from emotion.inference.quality import THRESHOLDS, measure_quality, verdict
from emotion.inference.readings import STATUSES, PhotoReading
from tests.emotion.inference.photographs import encode, pixels
from tests.emotion.inference.scenes import FACE, MIDDLE, person, put

BOTH = frozenset({"expression", "blendshapes"})


def beside(*images: Pixels) -> Pixels:
    return np.concatenate(images, axis=1)


def scaled(factor: float) -> Pixels:
    return cv2.resize(pixels(), None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


def blurred(sigma: float) -> Pixels:
    return cv2.GaussianBlur(pixels(), (0, 0), sigma)


def lit(gain: float) -> Pixels:
    return np.clip(pixels() * gain, 0, 255).astype(np.uint8)


def turned(degrees: float, centre: tuple[float, float] = (256, 256)) -> Pixels:
    matrix = cv2.getRotationMatrix2D(centre, degrees, 1.0)
    return cv2.warpAffine(pixels(), matrix, (512, 512))


def far_away(border: int) -> Pixels:
    sides = (border, border, border, border)
    return cv2.copyMakeBorder(pixels(), *sides, cv2.BORDER_CONSTANT, value=(90, 90, 90))


def noise() -> Pixels:
    return np.random.default_rng(1).integers(0, 255, (480, 640, 3), dtype=np.uint8)


def gradient() -> Pixels:
    return np.repeat(np.linspace(0, 255, 640, dtype=np.uint8)[None, :, None], 480, 0).repeat(3, 2)


def test_the_astronaut_looks_happy() -> None:
    reading = analyse_photo(pixels(), BOTH)
    assert reading.status == "read"
    assert reading.expression is not None
    assert max(reading.expression, key=reading.expression.__getitem__) == "happy"
    assert reading.expression["happy"] > 0.97  # 0.999 measured
    assert sum(reading.expression.values()) == pytest.approx(1, abs=1e-5)


def test_the_astronaut_smiles_with_open_eyes() -> None:
    moved = analyse_photo(pixels(), BOTH).blendshapes
    assert moved is not None
    assert list(moved) == list(NAMES)
    assert all(0 <= value <= 1 for value in moved.values())
    assert min(moved["mouthSmileLeft"], moved["mouthSmileRight"]) > 0.8  # 0.89 and 0.90 measured
    assert (
        min(moved["mouthUpperUpLeft"], moved["mouthUpperUpRight"]) > 0.4
    )  # 0.59 and 0.57: teeth show
    assert max(moved["eyeBlinkLeft"], moved["eyeBlinkRight"]) < 0.3
    assert max(moved["mouthFrownLeft"], moved["mouthPucker"], moved["browDownLeft"]) < 0.1


def test_landmarks_lie_where_the_face_is() -> None:
    (face,) = find_faces(pixels())
    found = find_landmarks(pixels(), face)
    assert found is not None
    assert found.points.shape == (478, 3)
    flat = found.points[:, :2]
    right_eye, left_eye, nose, chin, forehead = flat[[33, 263, 1, 152, 10]]
    assert right_eye[0] < nose[0] < left_eye[0]
    assert forehead[1] < right_eye[1] < nose[1] < flat[13][1] < chin[1]
    assert abs(flat[468] - face.points[0]).max() < 6, "the iris is not at the detector's eye"
    assert abs(flat[473] - face.points[1]).max() < 6
    assert 55 < np.linalg.norm(left_eye - right_eye) < 65  # 60 pixels measured in the picture


def test_mirroring_swaps_left_and_right() -> None:
    plain, mirrored = (
        find_landmarks(image, find_faces(image)[0])
        for image in (pixels(), np.ascontiguousarray(pixels()[:, ::-1]))
    )
    assert plain is not None
    assert mirrored is not None
    # Outer eye corners, corners of the mouth, irises: each lies where its counterpart lay.
    for right, left in ((33, 263), (61, 291), (468, 473)):
        expected = plain.points[left, :2] * [-1, 1] + [511, 0]
        assert abs(mirrored.points[right, :2] - expected).max() < 3


@pytest.mark.parametrize("degrees", [-30, 20, 45, 90])
def test_a_tilted_head_reads_the_same(degrees: float) -> None:
    reading = analyse_photo(turned(degrees), BOTH)
    assert reading.status == "read"
    assert reading.expression is not None
    assert reading.blendshapes is not None
    assert reading.expression["happy"] > 0.9
    assert reading.blendshapes["mouthSmileLeft"] > 0.7


WORSE = {
    "noise": (noise, "no-face", 0),
    "gradient": (gradient, "no-face", 0),
    "black": (lambda: np.zeros((400, 400, 3), np.uint8), "no-face", 0),
    "two people": (lambda: beside(pixels(), pixels()), "several-faces", 2),
    "two people of different size": (
        lambda: beside(pixels(), cv2.resize(pixels(), (256, 512))),
        "several-faces",
        2,
    ),
    "far away, still sharp": (lambda: far_away(400), "read", 1),
    "small picture": (lambda: scaled(0.5), "read", 1),
    "too small": (lambda: scaled(0.4), "too-small", 1),
    "dim": (lambda: lit(0.3), "read", 1),
    "too dark": (lambda: lit(0.15), "too-dark", 1),
    "bright": (lambda: lit(1.3), "read", 1),
    "too bright": (lambda: lit(2.0), "too-bright", 1),
    "soft": (lambda: blurred(2.0), "read", 1),
    "forehead cut off": (lambda: pixels()[110:], "unclear", 1),
    "upside down": (lambda: turned(180, (225, 125)), "unclear", 1),
    "too blurred": (lambda: blurred(4.0), "too-blurred", 1),
}


@pytest.mark.parametrize("name", WORSE)
def test_poorer_photograph_gets_its_status(name: str) -> None:
    make, status, faces = WORSE[name]
    reading = analyse_photo(make(), BOTH)
    assert (reading.status, reading.faces) == (status, faces)
    if status == "read":
        assert reading.expression is not None
        assert max(reading.expression, key=reading.expression.__getitem__) == "happy"
    else:
        assert reading.expression is None
        assert reading.blendshapes is None
        assert set(reading.parts()) == {"summary"}
        assert reading.parts()["summary"]["abstained"] is True


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        (frozenset(), {"summary"}),
        ({"expression"}, {"summary", "expression"}),
        ({"blendshapes"}, {"summary", "blendshapes"}),
        (BOTH, {"summary", "expression", "blendshapes"}),
    ],
)
def test_only_asked_categories_are_measured(asked: frozenset[str], given: set[str]) -> None:
    parts = analyse_photo(pixels(), asked).parts()
    assert set(parts) == given
    assert ("expression_fer.onnx" in parts["summary"]["models"]) == ("expression" in asked)
    assert ("face_blendshapes.onnx" in parts["summary"]["models"]) == ("blendshapes" in asked)


def test_parts_survive_json_and_describe_themselves() -> None:
    parts = analyse_photo(pixels(), BOTH).parts()
    assert json.loads(json.dumps(parts, allow_nan=False)) == parts
    for category in ("expression", "blendshapes"):
        assert {"schema", "unit", "range", "model", "models"} <= set(parts[category])
    summary = parts["summary"]
    measured = set(THRESHOLDS) - {"motion"}  # one picture shows none
    assert set(summary["quality"]) == set(summary["quality_units"]) == measured
    assert "happy" not in json.dumps(summary)


def test_every_status_is_explained() -> None:
    found = {"read", "no-face", "several-faces", "person-unclear", "person-lost"}
    known = found | {rule.status for rule in THRESHOLDS.values()}
    assert set(STATUSES) == known
    for status in STATUSES:
        assert (
            PhotoReading(Moment(0.0, status, 1)).parts()["summary"]["explanation"]
            == STATUSES[status]
        )


@pytest.mark.parametrize("name", THRESHOLDS)
def test_verdict_changes_exactly_at_the_threshold(name: str) -> None:
    rule = THRESHOLDS[name]
    at = rule.least if rule.least > float("-inf") else rule.most
    beyond = at - 1e-6 if rule.least > float("-inf") else at + 1e-6
    assert verdict({name: at}) == "read"
    assert verdict({name: beyond}) == rule.status


def test_light_is_judged_by_highlights_and_not_by_the_mean() -> None:
    """A dark face with its highlights is a face in good light: the mean alone would refuse it."""
    face = pixels().astype(np.float32)
    deep = (255 * (face / 255) ** 2.6).astype(np.uint8)
    reading = analyse_photo(deep, frozenset())
    assert reading.status == "read"


@pytest.mark.parametrize("side", [620, 1240])
def test_of_a_larger_face_a_camera_s_noise_is_averaged_away(side: int) -> None:
    """The photograph enlarged, then noise: the more pixels a face has, the less of it is left."""
    generator = np.random.default_rng(0)
    face = cv2.resize(pixels()[20:330, 70:380], (side, side), interpolation=cv2.INTER_CUBIC)
    noisy = np.clip(face + generator.normal(0, 25, face.shape), 0, 255).astype(np.uint8)
    reading = analyse_photo(noisy, {"expression"})
    assert reading.status == "read"
    assert reading.expression is not None
    assert reading.expression["happy"] > 0.97, "0.83 and less where single pixels were picked"


def around(change: float, value: int) -> Pixels:
    """The photograph with so much of its light, and all that lies around head and body in one grey."""
    face = find_faces(pixels(), parts=WHOLE)[0]
    landmarks = find_landmarks(pixels(), face)
    assert landmarks is not None
    person = np.zeros(pixels().shape[:2], np.uint8)
    cv2.fillConvexPoly(person, cv2.convexHull(landmarks.points[:, :2].astype(np.int32)), 1)
    person = cv2.dilate(person, np.ones((3, 3)), iterations=8)  # the hair
    person[int(landmarks.points[152, 1]) :] = 1
    noise = np.random.default_rng(0).normal(0, 6, pixels().shape)
    drawn = np.where(person[..., None], pixels() * change, value)
    return np.clip(drawn + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("change", "value", "status"),
    [
        (0.15, 235, "too-dark"),
        (0.1, 235, "too-dark"),
        (1, 235, "read"),
        (1, 255, "read"),
        (1, 0, "read"),
    ],
)
def test_light_is_that_of_the_face_and_not_of_the_window_behind_it(
    change: float, value: int, status: str
) -> None:
    there, alone = (
        analyse_photo(each, {"expression"})
        for each in (around(change, value), around(change, round(110 * change)))
    )
    assert there.status == alone.status == status
    for name in ("light", "burnt_out"):
        assert there.quality[name] == pytest.approx(alone.quality[name], abs=0.03), name


def test_each_face_of_overlapping_tiles_is_counted_once() -> None:
    for parts in (WHOLE, HALVES, QUARTERS):
        for width, height in ((512, 512), (900, 512), (512, 900), (1400, 333)):
            covering = np.zeros((height, width), int)
            for left, top, right, bottom in tiles(width, height, parts):
                assert 0 <= left < right <= width
                assert 0 <= top < bottom <= height
                covering[top:bottom, left:right] += 1
            assert covering.min() >= 1, "the tiles leave a gap"
    box = np.array([0, 0, 10, 10], np.float32)
    part = np.array([0, 0, 10, 5], np.float32)
    apart = np.array([20, 0, 30, 10], np.float32)
    points = np.zeros((6, 2), np.float32)
    assert covered(box, part) == 1
    assert covered(box, apart) == 0
    kept = distinct([Face(part, points, 0.8), Face(box, points, 0.9), Face(apart, points, 0.7)])
    assert [face.score for face in kept] == [0.9, 0.7]


def test_blendshape_tables_fit_the_model() -> None:
    assert len(POINTS) == len(set(POINTS)) == 146
    assert len(NAMES) == len(set(NAMES)) == 52
    sides = {name.removesuffix("Left").removesuffix("Right") for name in NAMES}
    assert set(FACS_UNITS) <= sides


def test_jpeg_png_and_webp_of_one_picture_read_alike() -> None:
    from emotion.inference.media import decode_photo

    for extension in (".jpg", ".png", ".webp"):
        reading = analyse_photo(decode_photo(encode(pixels(), extension)), BOTH)
        assert reading.blendshapes is not None
        assert reading.blendshapes["mouthSmileLeft"] == pytest.approx(0.89, abs=0.05)


def test_the_inference_imports_no_framework() -> None:
    code = (
        "import sys, emotion.inference.photos, emotion.inference.media\n"
        "print(sorted({name.split('.')[0] for name in sys.modules}))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "onnxruntime" in ended.stdout
    for framework in ("django", "rest_framework", "celery"):
        assert f"'{framework}'" not in ended.stdout


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_one_person_anywhere_in_the_picture_is_one_face(scale: float) -> None:
    person = cv2.resize(pixels()[:300, 80:400], None, fx=scale, fy=scale)
    height, width = int(700 * scale), int(900 * scale)
    for top in np.linspace(0, height - person.shape[0], 4).astype(int):
        for left in np.linspace(0, width - person.shape[1], 4).astype(int):
            picture = np.full((height, width, 3), 100, np.uint8)
            picture[top : top + person.shape[0], left : left + person.shape[1]] = person
            assert len(find_faces(picture)) == 1, (left, top)


@pytest.mark.parametrize("width", [300, 853, 1023, 1024, 1600, 2048])
@pytest.mark.parametrize("parts", [WHOLE, HALVES])
def test_a_face_is_found_in_the_same_place_whatever_it_was_reduced_from(
    width: int, parts: int
) -> None:
    known = find_faces(pixels(), parts=WHOLE)[0]
    side = pixels().shape[1]
    larger = cv2.resize(pixels(), (width, width), interpolation=cv2.INTER_CUBIC)
    (found,) = find_faces(larger, parts=parts)
    # A part of the picture may show it more surely than the whole, and a little elsewhere.
    assert np.abs(found.box * side / width - known.box).max() < 0.1 * known.size


def far_off(size: float, *places: tuple[float, float]) -> Pixels:
    """1280 x 720 pixels with faces of that size around these places, drawn from left to right."""
    scale = size / FACE
    head = cv2.resize(person()[:, 60:170], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    picture = np.full((720, 1280, 3), 110, np.uint8)
    for place in places:
        middle = ((MIDDLE[0] - 60) * scale, MIDDLE[1] * scale)
        put(picture, head.astype(np.uint8), *place, middle)
    return picture


@pytest.mark.parametrize("place", [(640, 360), (90, 100), (1190, 640), (400, 500)])
def test_a_small_face_is_found_and_read_wherever_it_is(place: tuple[float, float]) -> None:
    picture = far_off(58, place)
    assert find_faces(picture, parts=WHOLE) == find_faces(picture, parts=HALVES) == []
    (face,) = find_faces(picture)
    assert np.abs((face.box[:2] + face.box[2:]) / 2 - place).max() < 0.2 * face.size
    assert analyse_photo(picture, BOTH).status == "read"


@pytest.mark.parametrize(("apart", "seen"), [(75, 2), (120, 2), (220, 1)])
def test_who_stands_beside_a_small_face_is_seen_around_it(apart: int, seen: int) -> None:
    picture = far_off(58, (640, 360), (640 + apart, 360))
    known = Face.of_box(np.array([611, 331, 669, 389]))
    assert find_faces(picture, parts=WHOLE) == []
    places = sorted(float(face.box[[0, 2]].mean()) for face in find_around(picture, known))
    assert places == pytest.approx([640, 640 + apart][:seen], abs=12)


def test_in_a_picture_of_few_pixels_nobody_looks_for_faces_that_could_not_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks: list[list[int]] = []
    monkeypatch.setattr(faces, "search", lambda _picture, look: looks.append(look) or [])
    for width in (511, 512):
        find_faces(np.zeros((300, width, 3), np.uint8))
    assert looks == [[WHOLE, HALVES], [WHOLE, HALVES], [QUARTERS]]


@pytest.mark.parametrize("box", [(-200, 0, 0.5, 400), (0, -300, 400, 0.2), (511, 100, 900, 500)])
def test_of_a_face_that_is_nearly_out_of_the_picture_the_quality_is_measured(
    box: tuple[float, float, float, float],
) -> None:
    face = Face.of_box(np.array(box))
    assert all(np.isfinite(list(measure_quality(pixels(), face).values())))
    corners = np.array(box, np.float32)[[[0, 1], [2, 1], [2, 3], [0, 3]]]
    points = np.resize(np.concatenate([corners, np.zeros((4, 1), np.float32)], axis=1), (478, 3))
    for moved in (points, points + 2000):  # and one of which nothing is in the picture
        landmarks = Landmarks(moved, 1.0, np.zeros((128, 4, 4), np.float32))
        found = measure_quality(pixels(), face, landmarks)
        assert all(np.isfinite(list(found.values())))
