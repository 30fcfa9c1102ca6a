"""An administrator lets another pack read expressions; researchers have what is kept analysed again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from bs4 import BeautifulSoup
from django.test import Client
from django.urls import reverse

from audit_log.actions import Action
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from consent.models import DataCategory
from emotion.active_pack import active_folder, chosen, chosen_digest
from emotion.analyses import run_analysis
from emotion.inference.models import BUILT_IN, pack_digest
from emotion.models import ActivePack, Analysis
from emotion.reanalysis import analyse_again, analysed_by_other_packs
from tests.cast import Study, analysed, consenting, measured, open_study, text_of
from tests.emotion.inference.broken_packs import another, evaluated
from tests.emotion.test_pack_choice import command, models_dir

__all__ = ["models_dir"]
pytestmark = pytest.mark.usefixtures("fresh_db", "models_dir")


@pytest.fixture
def study() -> Study:
    return open_study(keep_media=True)


@pytest.fixture
def other(tmp_path: Path, models_dir: Path) -> Path:
    """A pack that was taken in and evaluated."""
    command("add", another(tmp_path))
    evaluated(models_dir / "other")
    return models_dir / "other"


def use(pack: Path, models_dir: Path) -> None:
    """Take a pack in and let it read, by the commands."""
    command("add", pack)
    evaluated(models_dir / pack.name)
    command("activate", pack.name)


def page_of(pack: str) -> str:
    return reverse("operate_model_use", args=[pack])


def entries(action: Action) -> list[LogEntry]:
    integrate_once()
    return list(LogEntry.objects.filter(action=action))


def test_the_page_says_what_changes_and_the_name_changes_it(study: Study, other: Path) -> None:
    consenting(study)
    analysed(study)
    boss = study.administrator.sign_in()
    card = BeautifulSoup(boss.get(reverse("models")).content, "html.parser")
    (link,) = card.select(f'main a[href="{page_of("other")}"]')
    look = boss.get(str(link["href"]))
    said = text_of(look)
    assert "“other” reads expressions instead of “expression-mean-of-three”" in said
    assert "1 recording is kept and could be analysed again" in said
    rows = BeautifulSoup(look.content, "html.parser").select("main tbody tr")
    assert len(rows) >= 8
    assert all(len({cell.get_text() for cell in row.select("td")}) == 1 for row in rows)
    assert "Only one of them was measured" not in said
    for wrong in ("", "Other"):
        assert boss.post(page_of("other"), {"name": wrong}).status_code == 422
    assert active_folder() == BUILT_IN
    assert boss.post(page_of("other"), {"name": "other"}).status_code == 302
    assert active_folder() == other
    (entry,) = entries(Action.MODEL_ACTIVATE)
    assert entry.actor == f"operator:{study.administrator.user.id}"
    assert boss.get(page_of("other")).status_code == 302, "it is in use already"
    assert boss.post(page_of(BUILT_IN.name), {"name": BUILT_IN.name}).status_code == 302
    assert active_folder() == BUILT_IN
    assert entries(Action.MODEL_RETIRE)[0].actor == f"operator:{study.administrator.user.id}"


def test_figures_on_other_photographs_are_not_set_side_by_side(
    study: Study, other: Path, tmp_path: Path
) -> None:
    (other / "evaluation.json").unlink()
    boss = study.administrator.sign_in()
    assert "it has no evaluation of these very files" in text_of(boss.get(reverse("models")))
    assert page_of("other") not in boss.get(reverse("models")).content.decode()
    look = boss.get(page_of("other"))
    assert not BeautifulSoup(look.content, "html.parser").select("main form")
    assert "Only one of them was measured" in text_of(look)
    answer = boss.post(page_of("other"), {"name": "other"})
    assert answer.status_code == 422
    assert "has no evaluation" in text_of(answer)
    assert not ActivePack.objects.exists()


def test_a_pack_whose_files_changed_is_not_used(study: Study, other: Path) -> None:
    (other / "expression_fer.onnx").write_bytes(b"another")
    answer = study.administrator.sign_in().post(page_of("other"), {"name": "other"})
    assert answer.status_code == 422
    assert "expression_fer.onnx: expected SHA-256" in text_of(answer)
    assert not ActivePack.objects.exists()


def test_only_administrators_are_led_there(study: Study, other: Path) -> None:
    for browser in (study.researcher.sign_in(), study.officer.sign_in(), Client()):
        assert page_of("other") not in browser.get(reverse("models")).content.decode()
        assert browser.post(page_of("other"), {"name": "other"}).status_code in {302, 404}
    assert active_folder() == BUILT_IN
    assert study.administrator.sign_in().get(page_of("unknown")).status_code == 404


def listed(browser: Any) -> list[str]:
    answer = browser.get(reverse("operate_recordings"), {"models": "others"})
    boxes = BeautifulSoup(answer.content, "html.parser").select("input[name=row]")
    return [str(box["value"]) for box in boxes]


def test_researchers_find_what_other_models_read_and_have_it_analysed_again(
    study: Study, other: Path, tmp_path: Path, models_dir: Path
) -> None:
    consenting(study)
    first, waits = analysed(study), analysed(study)
    browser = study.researcher.sign_in()
    home = reverse("operate_home")
    assert listed(browser) == []
    assert "read by other models" not in text_of(browser.get(home))
    study.administrator.sign_in().post(page_of("other"), {"name": "other"})
    assert listed(browser) == [str(waits.id), str(first.id)]
    assert "2 kept recordings were read by other models" in text_of(browser.get(home))
    repeat = analyse_again(study.researcher.actor, waits.recording_id)
    assert listed(browser) == [str(first.id)], "one that waits is not asked for again"
    measured(repeat)
    again = {"act": "repeat", "row": listed(browser), "step": "do", "key": "k"}
    assert browser.post(reverse("operate_recordings_act"), again).status_code == 200
    run_analysis(Analysis.objects.latest("queued_at").id)
    assert listed(browser) == []
    assert "read by other models" not in text_of(browser.get(home))
    both = Analysis.objects.filter(recording=first.recording_id).order_by("id")
    assert [row.pack_sha256 for row in both] == [pack_digest(BUILT_IN), pack_digest(other)]
    assert (chosen(), chosen_digest()) == ("other", pack_digest(other))
    command("retire")
    assert listed(browser) == [], "each was read by that one before"
    use(another(tmp_path, "third"), models_dir)
    newest = {str(repeat.id), str(both[1].id)}
    assert set(listed(browser)) == newest, "of each recording the newest alone"


def test_what_is_not_kept_or_has_no_expression_is_not_asked_for(other: Path) -> None:
    gone, plain = open_study(), open_study(keep_media=True)
    consenting(gone)
    consenting(plain, "P-002", categories=[DataCategory.MEDIA, DataCategory.BLENDSHAPES])
    analysed(gone)
    assert analysed(plain, "P-002").pack_sha256 == ""
    command("activate", "other")
    assert not analysed_by_other_packs(Analysis.objects.all()).exists()


def test_the_row_does_not_tell_whether_anything_could_be_read(study: Study) -> None:
    consenting(study)
    blank = cv2.imencode(".png", np.full((300, 300, 3), 128, np.uint8))[1].tobytes()
    assert analysed(study, photo=blank).pack_sha256 == pack_digest(BUILT_IN)
