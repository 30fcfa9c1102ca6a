"""From moments to tables and back, and the tables as JSON."""

from __future__ import annotations

import json
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from emotion.inference.asymmetry import NO_PAIRS, PAIRS, blendshape_asymmetry
from emotion.inference.baseline import find_baseline
from emotion.inference.blendshapes import NAMES
from emotion.inference.body import POINTS, find_body
from emotion.inference.columns import COLUMNS
from emotion.inference.events import find_events
from emotion.inference.faces import find_faces
from emotion.inference.indices import activation_index, valence_index
from emotion.inference.labels import LABELS
from emotion.inference.landmarks import find_landmarks
from emotion.inference.moments import Moment, begin_moment, read_moment
from emotion.inference.quality import motion
from emotion.inference.series import MEASURED_IN, document, joined, to_moments, to_series
from emotion.inference.smile_signs import LEFT_CHEEK, RIGHT_CHEEK
from emotion.inference.summaries import summarise
from tests.emotion.inference.meshes import canonical_mesh
from tests.emotion.inference.photographs import pixels
from tests.emotion.inference.versions import VERSIONS

ALL = frozenset(MEASURED_IN)
SCHEMA = json.loads(
    (Path(__file__).resolve().parents[3] / "emotion/schemas/series.schema.json").read_text()
)


@pytest.fixture(scope="module")
def moments() -> list[Moment]:
    """Five moments: read, read without expression, not read, body alone, read."""
    face = find_faces(pixels())[0]
    whole = replace(read_moment(pixels(), face, ALL), body=find_body(pixels()))
    return [
        whole,
        replace(whole, time=0.1, expression=None, body=None),
        Moment(0.2, "no-face", 0),
        Moment(0.3, "several-faces", 2, body=whole.body),
        replace(whole, time=0.4),
    ]


def test_tables_hold_what_was_measured_and_when(moments: list[Moment]) -> None:
    series = to_series(moments, ALL)
    assert set(series) == {"summary"} | ALL
    for category, table in series.items():
        assert list(table) == ["time", *(column.name for column in COLUMNS[category])]
        assert len({len(values) for values in table.values()}) == 1
    assert series["expression"]["time"].tolist() == [0.0, 0.2, 0.3, 0.4]
    assert np.isnan(series["expression"]["happy"]).tolist() == [False, True, True, False]
    assert series["body-motion"]["time"].tolist() == [0.0, 0.3, 0.4]
    assert series["summary"]["status"].tolist() == [
        "read",
        "read",
        "no-face",
        "several-faces",
        "read",
    ]
    assert series["summary"]["faces"].tolist() == [1, 1, 0, 2, 1]
    assert set(to_series(moments, {"gaze"})) == {"summary", "gaze"}


def test_values_lie_in_their_ranges(moments: list[Moment]) -> None:
    for category, table in to_series(moments, ALL).items():
        for column in COLUMNS[category]:
            values = table[column.name]
            if values.dtype.kind == "f":
                low, high = column.range
                seen = values[np.isfinite(values)]
                assert (seen >= (-np.inf if low is None else low)).all(), column
                assert (seen <= (np.inf if high is None else high)).all(), column


def test_back_again_and_in_segments(moments: list[Moment]) -> None:
    series = to_series(moments, ALL)
    again = to_series(to_moments(series), ALL)
    pieces = joined([to_series(moments[:2], ALL), to_series(moments[2:], ALL)])
    for category, table in series.items():
        for name, values in table.items():
            assert np.array_equal(again[category][name], values, equal_nan=values.dtype.kind == "f")
            assert np.array_equal(
                pieces[category][name], values, equal_nan=values.dtype.kind == "f"
            )
    assert joined([]) == {}


def test_json_fits_its_schema(moments: list[Moment]) -> None:
    validator = Draft202012Validator(SCHEMA)
    series = to_series(moments, ALL)
    for category in series:
        made = json.loads(json.dumps(document(series, category), allow_nan=False))
        validator.validate(made)
        assert made["abstained"] == {"no-face": 1, "several-faces": 1}
    events = find_events(series)
    validator.validate(json.loads(json.dumps([event.to_json() for event in events])))
    figures = summarise(series, events, find_baseline(series, (0.0, 0.4)))
    validator.validate(json.loads(json.dumps(figures, allow_nan=False)))
    assert not validator.is_valid(document(series, "gaze") | {"schema": 2})
    assert not validator.is_valid(
        [{"kind": "lie", "start": 0, "end": 1, "categories": [], "values": {}}]
    )


def test_a_tracked_face_reads_as_a_found_one() -> None:
    face = find_faces(pixels())[0]
    found = find_landmarks(pixels(), face)
    assert found is not None
    one = read_moment(pixels(), face, ALL)
    other = begin_moment(pixels(), found.face, ALL, landmarks=found, time=3.0, motion=0.1)()
    assert other.time == 3.0
    assert other.quality["motion"] == 0.1
    assert one.pose == other.pose
    assert one.gaze == other.gaze
    assert one.smile == other.smile
    assert other.quality["light"] == pytest.approx(one.quality["light"], abs=0.05)


def test_what_was_not_asked_for_is_not_measured() -> None:
    face = find_faces(pixels())[0]
    for category, field in MEASURED_IN.items():
        if category == "body-motion":
            continue
        moment = read_moment(pixels(), face, {category})
        given = {name for name in MEASURED_IN.values() if getattr(moment, name) is not None}
        assert given == {field}


def test_a_fast_face_is_abstained_on() -> None:
    face = find_faces(pixels())[0]
    found = find_landmarks(pixels(), face)
    assert found is not None
    moved = found.points + np.array([0.25 * np.ptp(found.points[:, 0]), 0, 0], np.float32)
    speed = motion(found.points, moved, 0.1)
    assert speed == pytest.approx(2.5, rel=1e-3)
    assert begin_moment(pixels(), face, ALL, motion=speed)().status == "moving"
    assert begin_moment(pixels(), face, ALL, motion=1.0)().status == "read"


@pytest.mark.parametrize("categories", [ALL, frozenset({"expression"}), frozenset({"blendshapes"})])
def test_what_is_left_to_measure_holds_no_picture(categories: frozenset[str]) -> None:
    picture = pixels().copy()
    seen = weakref.ref(picture)
    rest = begin_moment(picture, find_faces(picture)[0], categories)
    del picture
    assert seen() is None
    assert rest().status == "read"


def test_indices_are_their_formulas() -> None:
    shares = dict(zip(LABELS, (0.3, 0.05, 0.02, 0.4, 0.1, 0.03, 0.1), strict=True))
    values = np.array(list(shares.values()), np.float32)
    assert valence_index(values) == pytest.approx(0.4 - 0.3)
    assert activation_index(values) == pytest.approx(0.9)
    both = valence_index(np.stack([values, np.full(7, np.nan, np.float32)]))
    assert both[0] == pytest.approx(0.1)
    assert np.isnan(both[1])


def test_asymmetry_has_a_sign_and_a_floor() -> None:
    values = dict.fromkeys(NAMES, 0.0) | {
        "mouthSmileLeft": 0.6,
        "mouthSmileRight": 0.2,
        "browDownLeft": 0.04,
        "eyeWideRight": 0.5,
    }
    found = dict(
        zip(
            PAIRS,
            blendshape_asymmetry(np.array(list(values.values()), np.float32)).tolist(),
            strict=True,
        )
    )
    assert found["mouthSmile"] == pytest.approx(0.5)
    assert found["eyeWide"] == pytest.approx(-1)
    assert np.isnan(found["browDown"])
    assert not NO_PAIRS & set(PAIRS)
    assert len(PAIRS) == 16


def test_mirroring_swaps_the_sides_of_a_smile() -> None:
    signs = []
    for name in ("as it is", "mirrored"):
        image = VERSIONS[name]()
        smile = read_moment(image, find_faces(image)[0], {"smile-marker"}).smile
        assert smile is not None
        signs.append(smile)
    plain, mirrored = signs
    assert plain.lip_left == pytest.approx(mirrored.lip_right, abs=0.1)
    assert plain.cheek_left == pytest.approx(mirrored.cheek_right, abs=0.015)
    assert plain.cheek_right == pytest.approx(mirrored.cheek_left, abs=0.015)


def test_cheek_points_are_each_others_mirror_image() -> None:
    mesh = canonical_mesh()
    for left, right in zip(sorted(LEFT_CHEEK), sorted(RIGHT_CHEEK), strict=True):
        assert mesh[left] == pytest.approx(mesh[right] * [-1, 1, 1], abs=1e-3)


def test_the_body_of_the_photograph() -> None:
    body = find_body(pixels())
    at = dict(zip(POINTS, body.tolist(), strict=True))
    assert at["left_eye"][:2] == pytest.approx([246 / 512, 103 / 512], abs=0.02)
    assert at["right_eye"][:2] == pytest.approx([203 / 512, 101 / 512], abs=0.02)
    assert at["left_shoulder"][0] > at["right_shoulder"][0]
    assert min(at["left_shoulder"][2], at["right_shoulder"][2]) > 0.3
    wide = np.concatenate([pixels(), np.zeros((512, 512, 3), np.uint8)], axis=1)
    beside = dict(zip(POINTS, find_body(wide).tolist(), strict=True))
    assert beside["left_eye"][:2] == pytest.approx([246 / 1024, 103 / 1024], abs=0.02)
