"""``manage.py models``: taken in, measured, used, gone back from; each with its entry."""

from __future__ import annotations

import io
import json
from datetime import date
from pathlib import Path

import cv2
import numpy as np
import pytest
from bs4 import BeautifulSoup
from django.conf import settings as configured
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils.formats import date_format
from jsonschema import Draft202012Validator

from audit_log.actions import Action
from audit_log.models import PendingEntry
from emotion.active_pack import active_folder, verify_active
from emotion.analyses import run_analysis
from emotion.inference.expressions import expression_pack
from emotion.inference.labels import LABELS
from emotion.inference.models import BUILT_IN, ModelIntegrityError
from emotion.models import ActivePack, Analysis, AnalysisState
from emotion.technical_file import technical_file
from tests.cast import PHOTO, consenting, open_study
from tests.duties.walks import analysed, uploaded
from tests.emotion.inference.broken_packs import another, change

pytestmark = pytest.mark.usefixtures("fresh_db", "models_dir")


@pytest.fixture
def models_dir(tmp_path: Path, settings: pytest.FixtureRequest) -> Path:
    settings.MODELS_DIR = tmp_path / "installed"  # type: ignore[attr-defined]
    expression_pack.cache_clear()
    return tmp_path / "installed"


def command(*words: object) -> str:
    out = io.StringIO()
    call_command("models", *map(str, words), stdout=out)
    return out.getvalue()


def labelled(path: Path, groups: bool = True) -> Path:
    """The reference faces a few times over, each labelled with what the pack calls it most."""
    with np.load(BUILT_IN / "references.npz") as file:
        images, called = file["images"], file["probabilities"].argmax(axis=1)
    more = {"group_origin": np.array(["north", "south"] * len(images) * 20)} if groups else {}
    labels = np.repeat(np.array(LABELS)[called], 40)
    np.savez(path, images=np.repeat(images, 40, axis=0), labels=labels, **more)
    return path


def entries(action: Action) -> int:
    return sum(
        f'"{action.value}"'.encode() in bytes(row.body) for row in PendingEntry.objects.all()
    )


def test_a_pack_is_taken_in_measured_used_and_retired(tmp_path: Path, models_dir: Path) -> None:
    assert "used  expression-mean-of-three" in command("list")
    command("add", another(tmp_path))
    assert (models_dir / "other" / "manifest.json").is_file()
    assert [path.name for path in models_dir.iterdir()] == ["other"], "nothing is left of the check"
    with pytest.raises(CommandError, match="has no evaluation"):
        command("activate", "other")
    assert active_folder() == BUILT_IN
    said = command(
        "evaluate", "other", labelled(tmp_path / "faces.npz"), "--called", "reference faces"
    )
    assert "accuracy                     1.000  (0.984 to 1.000)" in said
    assert "origin: north: no difference" in said
    report = json.loads((models_dir / "other" / "evaluation.json").read_text())["reports"][0]
    assert report["data"] == "reference faces"
    assert set(report["groups"]["origin"]) == {"north", "south"}
    assert "other 1, " in command("activate", "other")
    assert active_folder() == models_dir / "other"
    verify_active()
    assert "used  other" in command("list")
    assert ActivePack.objects.get().sha256 == expression_pack(models_dir / "other").digest
    assert "other is not used any more" in command("retire")
    assert active_folder() == BUILT_IN
    assert (models_dir / "other").is_dir(), "results name it"
    assert "used already" in command("retire")
    for action in (
        Action.MODEL_ADD,
        Action.MODEL_EVALUATE,
        Action.MODEL_ACTIVATE,
        Action.MODEL_RETIRE,
    ):
        assert entries(action) == 1, action


def test_what_is_refused_leaves_nothing(tmp_path: Path, models_dir: Path) -> None:
    wrong = another(tmp_path, "wrong")
    change(wrong, lambda listed: listed["also"].pop("card.md"))
    with pytest.raises(CommandError, match=r"no checksum of card\.md"):
        command("add", wrong)
    linked = another(tmp_path, "linked")
    (linked / "extra").symlink_to("/etc/passwd")
    with pytest.raises(CommandError, match="no links"):
        command("add", linked)
    with pytest.raises(CommandError, match="No such file"):
        command("add", tmp_path / "nothing")
    with pytest.raises(CommandError, match="is here already"):
        command("add", BUILT_IN)
    with pytest.raises(CommandError, match="small letters"):
        command("add", another(tmp_path, "Big Name"))
    assert list(models_dir.iterdir()) == []
    for words in (("activate", "unknown"), ("evaluate", "unknown", tmp_path, "--called", "x")):
        with pytest.raises(CommandError, match="there is no pack"):
            command(*words)
    with pytest.raises(CommandError, match="is not changed"):
        command("evaluate", BUILT_IN.name, labelled(tmp_path / "faces.npz"), "--called", "x")
    assert not PendingEntry.objects.filter(body__contains=b"model:").exists()


def test_a_pack_that_lost_its_card_cannot_be_used(tmp_path: Path, models_dir: Path) -> None:
    command("add", another(tmp_path))
    command("evaluate", "other", labelled(tmp_path / "faces.npz"), "--called", "reference faces")
    (models_dir / "other" / "card.md").unlink()
    with pytest.raises(CommandError, match=r"card\.md"):
        command("activate", "other")
    assert not ActivePack.objects.exists()


def use_other(tmp_path: Path) -> None:
    command("add", another(tmp_path))
    command("evaluate", "other", labelled(tmp_path / "faces.npz"), "--called", "reference faces")
    command("activate", "other")


def test_an_analysis_names_the_pack_that_read_it(tmp_path: Path) -> None:
    study = open_study()
    person = consenting(study)
    for used in ("expression-mean-of-three", "other"):
        if used == "other":
            use_other(tmp_path)
        row = analysed(study.key(), study)
        answer = person.browser.get(reverse("own_result", args=[row.pk])).content.decode()
        assert f"{used} 1, " in answer
        fitted = date_format(date.fromisoformat(expression_pack().calibration.date))
        assert "Calibrated on the validation part of FER2013: the numbers hold" in answer
        assert f"Calibrated on the validation part of FER2013, {fitted}." in answer


def test_a_pack_that_was_exchanged_reads_nobody(tmp_path: Path, models_dir: Path) -> None:
    use_other(tmp_path)
    change(models_dir / "other", lambda listed: listed.update(version="2"))
    with pytest.raises(ModelIntegrityError, match="not the pack that was chosen"):
        active_folder()
    study = open_study()
    consenting(study)
    answer = uploaded(study.key(), study).json()
    row = Analysis.objects.get(pk=answer["analyses"][0]["id"])
    run_analysis(row.id)
    row.refresh_from_db()
    assert row.state == AnalysisState.QUEUED, "the installation's fault: it waits"
    assert row.tries == 0
    command("retire")
    assert active_folder() == BUILT_IN


def test_data_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    command("add", another(tmp_path))
    images = np.zeros((2, 48, 48), np.uint8)
    for values, said in (
        ({"images": images, "labels": np.array([0, 1])}, "label_names was expected"),
        ({"images": images, "labels": np.array([0, 7]), "label_names": np.array(LABELS)}, "0 to 6"),
        ({"images": images, "labels": np.array(["happy", "joy"])}, "got joy"),
        ({"images": images, "labels": np.array(["happy"])}, "the same number"),
        ({"images": images[:, :40], "labels": np.array(["happy", "sad"])}, "square uint8"),
        ({"labels": np.array(["happy"])}, "KeyError"),
    ):
        np.savez(tmp_path / "data.npz", **values)
        with pytest.raises(CommandError, match=said):
            command("evaluate", "other", tmp_path / "data.npz", "--called", "x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CommandError, match="folders named after their class"):
        command("evaluate", "other", tmp_path / "empty", "--called", "x")


def test_faces_of_one_person_count_together(tmp_path: Path, models_dir: Path) -> None:
    command("add", another(tmp_path))
    path = labelled(tmp_path / "faces.npz")
    with np.load(path) as file:
        data = dict(file)
    for people, told in ((np.arange(len(data["labels"])) // 10, "by person"), (None, "as if each")):
        np.savez(path, **data, **({} if people is None else {"person": people}))
        said = command("evaluate", "other", path, "--called", told)
        assert f"Intervals are {'made ' if people is None else ''}{told}" in said
    by_person, by_face = json.loads((models_dir / "other" / "evaluation.json").read_text())[
        "reports"
    ]
    assert by_person["people"] == len(data["labels"]) // 10
    assert by_face["people"] is None
    assert by_person["accuracy"][1] < by_face["accuracy"][1]
    for people in (np.zeros(3), np.full(len(data["labels"]), "")):
        np.savez(path, **data, person=people)
        with pytest.raises(CommandError, match="person"):
            command("evaluate", "other", path, "--called", "x")


def test_a_folder_of_photographs_is_read_by_the_whole_pipeline(
    tmp_path: Path, models_dir: Path
) -> None:
    command("add", another(tmp_path))
    folder = tmp_path / "photographs"
    (folder / "happy").mkdir(parents=True)
    (folder / "sad").mkdir()
    (folder / "happy" / "1.jpg").write_bytes(PHOTO.read_bytes())
    blank = cv2.imencode(".png", np.full((300, 300, 3), 128, np.uint8))[1].tobytes()
    (folder / "sad" / "blank.png").write_bytes(blank)
    (folder / "groups.csv").write_text("file,person,origin\nhappy/1.jpg,,north\n")
    with pytest.raises(CommandError, match="person: a name or number for each face was expected"):
        command("evaluate", "other", folder, "--called", "two photographs")
    (folder / "groups.csv").write_text("file,person,origin\nhappy/1.jpg,Rosa,north\n")
    said = command("evaluate", "other", folder, "--called", "two photographs")
    assert "not read: {'no-face': 1}" in said
    assert "north: 1 faces of 1 people are too few" in said
    assert "person: Rosa" not in said
    report = json.loads((models_dir / "other" / "evaluation.json").read_text())["reports"][0]
    assert (report["faces"], report["people"]) == (1, 1)
    assert "Rosa" not in json.dumps(report)
    assert report["recall"]["happy"][0] == 1
    assert str(configured.BASE_DIR) not in json.dumps(report)


def page_of_models() -> BeautifulSoup:
    answer = Client().get(reverse("models"))
    assert answer.status_code == 200
    return BeautifulSoup(answer.content, "html.parser")


def test_anybody_sees_card_licence_error_and_groups_of_every_pack(tmp_path: Path) -> None:
    command("add", another(tmp_path))
    text = page_of_models().get_text(" ", strip=True)
    built_in = json.loads((BUILT_IN / "evaluation.json").read_text())["reports"][0]
    assert built_in["data"] in text
    value, low, high = (f"{number * 100:.1f}" for number in built_in["accuracy"])
    assert f"{value} % ({low} to {high} %)" in text
    assert "whether it errs more in one is not measured" in text
    assert "Intervals are made as if each face were another person's" in text
    assert "the people in the photographs were not asked" in text
    assert "MIT" in text
    assert "other 1 Here, not in use." in text
    command("evaluate", "other", labelled(tmp_path / "faces.npz"), "--called", "reference faces")
    command("activate", "other")
    page = page_of_models()
    used = [card for card in page.select("section.card") if "In use." in card.get_text()]
    assert used[0].h2.get_text(strip=True) == "other 1"
    assert "north" in used[0].get_text()
    assert "no difference from all others" in used[0].get_text()
    assert BUILT_IN.name not in [card.h2.get_text().split()[0] for card in used]


def test_a_pack_that_is_not_as_listed_is_named_on_the_page(
    tmp_path: Path, models_dir: Path
) -> None:
    use_other(tmp_path)
    (models_dir / "other" / "card.md").write_text("## Made for\nanything\n")
    text = page_of_models().get_text(" ", strip=True)
    assert "This pack is not as it should be, and reads nobody: card.md: expected SHA-256" in text
    assert "anything" not in text


def test_the_technical_file_has_what_was_taken_in_with_what_was_measured(tmp_path: Path) -> None:
    use_other(tmp_path)
    schema = configured.BASE_DIR / "emotion" / "schemas" / "technical-file.schema.json"
    found = json.loads(json.dumps(technical_file()))
    Draft202012Validator(json.loads(schema.read_text())).validate(found)
    rows = {row["name"]: row for row in found["models"]}
    assert rows["other"]["in_use"] is True
    assert rows[BUILT_IN.name]["in_use"] is False
    assert rows["faces"]["in_use"] is True
    (figure,) = rows["other"]["error"]
    assert figure["data"] == "reference faces"
    assert figure["values"][0] == ["right", "100.0 % (98.4 to 100.0 %)"]
    (figure,) = rows["other"]["bias"]
    assert [name for name, _value in figure["values"]] == ["north", "south"]
    assert {file["state"] for file in rows["other"]["files"]} == {"as listed"}
