"""A covered mouth or eye is seen and not read; what people wear, and how they look, is.

The covers are drawn over the test photograph, which had no part in the fit.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from emotion.inference import occlusion
from emotion.inference.arrays import Pixels
from emotion.inference.expressions import expression_pack
from emotion.inference.faces import find_faces
from emotion.inference.film_reading import FilmReader
from emotion.inference.landmarks import find_landmarks
from emotion.inference.models import FOLDER, ModelIntegrityError, verify_models
from emotion.inference.photos import analyse_photo
from emotion.inference.series import MEASURED_IN
from tests.emotion.inference.photographs import pixels
from tests.emotion.inference.versions import VERSIONS
from training.covers import COVERS, POORER, WORN, Site

ALL = frozenset(MEASURED_IN) - {"body-motion"}
SEEDS = range(6)


def drawn(kind: str, seed: int, picture: Pixels | None = None) -> Pixels:
    """The test photograph with something drawn over the face."""
    picture = pixels() if picture is None else picture
    found = find_landmarks(picture, find_faces(picture)[0])
    assert found is not None
    points = found.points[:, :2].astype(float)
    site = Site(picture.astype(float), points, np.random.default_rng(seed))
    seen = (COVERS | WORN | POORER)[kind](site)
    return np.clip(seen, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("kind", ["mask", "hand on the mouth", "bar over the eyes"])
def test_a_face_with_a_cover_is_not_read(kind: str) -> None:
    readings = [analyse_photo(drawn(kind, seed), ALL) for seed in SEEDS]
    covered = [reading for reading in readings if reading.status == "covered"]
    assert len(covered) >= 5  # of 6; of hands one is not recognised
    for reading in covered:
        assert reading.quality["covered"] > 0.5
        assert set(reading.parts()) == {"summary"}
        assert reading.parts()["summary"]["abstained"] is True


@pytest.mark.parametrize(
    "kind", [*WORN, *(each for each in POORER if each != "small")]
)  # that one is too small to read
def test_what_covers_neither_mouth_nor_eyes_is_read(kind: str) -> None:
    statuses = {analyse_photo(drawn(kind, seed), ALL).status for seed in SEEDS}
    assert statuses <= {"read", "too-blurred"} if kind in POORER else statuses == {"read"}


@pytest.mark.parametrize("name", VERSIONS)
def test_no_version_of_the_photograph_is_called_covered(name: str) -> None:
    reading = analyse_photo(VERSIONS[name](), ALL)
    assert reading.status == "read"
    assert reading.quality["covered"] < 0.25


@pytest.mark.parametrize("name", VERSIONS)
def test_a_mask_is_seen_in_every_version(name: str) -> None:
    picture = VERSIONS[name]()
    statuses = [analyse_photo(drawn("mask", seed, picture), ALL).status for seed in SEEDS]
    assert statuses.count("read") <= 1  # 1 of 60 measured


def test_a_film_leaves_out_the_moments_with_a_cover() -> None:
    bare, masked = pixels(), drawn("mask", 3)
    reader = FilmReader(ALL, expression_pack())
    read = [reader.read(masked if 10 <= at < 20 else bare, at / 10) for at in range(30)]
    moments = [moment for moment in read if moment]
    statuses = [moment.status for moment in moments]
    assert set(statuses[:10]) == set(statuses[20:]) == {"read"}
    assert set(statuses[10:20]) == {"covered"}
    for moment in moments[10:20]:
        assert moment.expression is moment.blendshapes is moment.pose is moment.gaze is None


@pytest.mark.parametrize("taken_up_at", [None, 3, 6])
def test_an_expression_that_is_due_under_a_cover_is_read_after_it(taken_up_at: int | None) -> None:
    """Ten moments a second, of which every other one is due, and just those are covered from the second on.

    Also where another reader goes on in between.
    """
    bare, masked = pixels(), drawn("mask", 3)
    reader = FilmReader(ALL, expression_pack(), 10.0)
    expressed = []
    for at in range(8):
        if at == taken_up_at:
            state = json.loads(json.dumps(reader.state()))
            reader = FilmReader(ALL, expression_pack(), 10.0, state)
        moment = reader.read(masked if at and at % 2 == 0 else bare, at / 10)
        assert moment is not None
        assert moment.status == ("covered" if at and at % 2 == 0 else "read")
        if moment.expression is not None:
            expressed.append(at)
    assert expressed == [0, 3, 5, 7], "not once after the first, if what is due were lost"


def test_the_same_picture_gives_the_same_figure() -> None:
    one, other = (analyse_photo(pixels(), ALL).quality["covered"] for _ in range(2))
    assert one == other
    assert 0 <= one <= 1


def test_other_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copied = Path(shutil.copytree(FOLDER, tmp_path / "packs"))
    weights = copied / "faces" / occlusion.WEIGHTS
    weights.write_bytes(weights.read_bytes() + b"\0")
    with pytest.raises(ModelIntegrityError, match=rf"{occlusion.WEIGHTS}: expected SHA-256"):
        verify_models(copied)
    monkeypatch.setattr(occlusion, "PACK", copied / "faces")
    occlusion.regression.cache_clear()
    with pytest.raises(ModelIntegrityError, match="expected SHA-256"):
        occlusion.cover(np.zeros((128, 4, 4), np.float32))
    occlusion.regression.cache_clear()
