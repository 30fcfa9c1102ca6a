"""The operators' pages about recordings in a real browser: at both widths, light and dark, and by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.urls import reverse
from playwright.sync_api import BrowserContext, expect

from emotion.analyses import run_analysis
from emotion.models import Analysis
from emotion.reanalysis import analyse_again
from tests.browser.looking import Looker, Shown, wear
from tests.cast import PHOTO, Study, analysed, consenting, measured, open_study, upload
from tests.emotion.inference.broken_packs import another, evaluated
from tests.emotion.test_pack_choice import command, models_dir, use_other

__all__ = ["models_dir"]
pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("fresh_db")]


def analysed_twice(study: Study, tmp_path: Path) -> Analysis:
    """A kept photograph that two packs have read."""
    first = analysed(study)
    use_other(tmp_path)
    run_analysis(analyse_again(study.researcher.actor, first.recording_id).id)
    return first


@pytest.mark.usefixtures("models_dir")
def test_two_analyses_are_compared_by_keyboard(
    site: str, context: BrowserContext, tmp_path: Path
) -> None:
    study = open_study(keep_media=True)
    person = consenting(study)
    first = analysed_twice(study, tmp_path)
    looker = Looker(context, site)
    page = looker.page
    wear(context, site, study.researcher.sign_in())
    looker.look(Shown("compare-from", reverse("operate_recording", args=[first.recording_id])))
    page.get_by_role("link", name="Compare its analyses…").press("Enter")
    page.get_by_role("button", name="Open and compare").wait_for()
    looker.look_around(Shown("compare-reason", ""))
    page.get_by_label("To check the quality of the recording").press("Space")
    page.get_by_role("button", name="Open and compare").press("Enter")
    page.get_by_role("heading", name="2 analyses of one photograph").wait_for()
    looker.look_around(Shown("compare", ""))
    assert page.locator(".bar").count() >= 14
    wear(context, site, person.browser)
    looker.look(Shown("compare-own", reverse("own_comparison", args=[first.recording_id])))
    assert looker.troubles == []


@pytest.mark.usefixtures("models_dir")
def test_another_pack_is_chosen_by_keyboard_and_what_is_kept_is_read_again(
    site: str, context: BrowserContext, tmp_path: Path, models_dir: Path
) -> None:
    study = open_study(keep_media=True)
    consenting(study)
    analysed(study)
    command("add", another(tmp_path))
    evaluated(models_dir / "other")
    looker = Looker(context, site)
    page = looker.page
    wear(context, site, study.administrator.sign_in())
    looker.look(Shown("models-administrator", reverse("models")))
    page.get_by_role("link", name="Let it read expressions…").press("Enter")
    page.get_by_role("heading", name="Let “other” read expressions").wait_for()
    looker.look_around(Shown("model-use", ""))
    page.get_by_label("To confirm, type “other”").fill("other")
    page.get_by_role("button", name="Let it read expressions").press("Enter")
    expect(page.get_by_text("other reads expressions from now on.")).to_be_visible()
    looker.look(Shown("health-models", reverse("operate_health")))
    wear(context, site, study.researcher.sign_in())
    looker.look(Shown("overview-other-models", reverse("operate_home")))
    page.get_by_role("link", name="1 kept recording was read by other models").press("Enter")
    page.get_by_label("With which rows?").wait_for()
    looker.look_around(Shown("recordings-other-models", ""))
    page.get_by_label("With which rows?").select_option("page")
    expect(page.get_by_label("What?")).to_have_value("repeat")
    page.get_by_role("button", name="See what would happen…").press("Enter")
    page.get_by_role("button", name="Analyse 1 photograph again").press("Enter")
    page.get_by_role("heading", name="Done for 1 of 1 rows").wait_for()
    measured(Analysis.objects.latest("queued_at"))
    page.goto(site + reverse("operate_recordings") + "?models=others")
    expect(page.get_by_text("None fits what you chose above.")).to_be_visible()
    assert looker.troubles == []


def test_many_are_looked_at_and_stopped_by_keyboard_on_a_phone(
    site: str, context: BrowserContext
) -> None:
    study = open_study(keep_media=True)
    consenting(study)
    consenting(study, "P-002")
    done = analysed(study)
    upload(study.key(), "P-002", study.purpose.id, PHOTO.read_bytes())
    looker = Looker(context, site)
    page = looker.page
    wear(context, site, study.researcher.sign_in())
    looker.look(Shown("many-list", reverse("operate_recordings")))
    page.set_viewport_size({"width": 360, "height": 800})
    for box in page.locator("[name=row]").all():
        box.press("Space")
    looker.look_around(Shown("many-ticked", ""))
    page.get_by_label("What?").select_option("stop")
    page.get_by_role("button", name="See what would happen…").press("Enter")
    page.get_by_role("heading", name="What will happen").wait_for()
    looker.look_around(Shown("many-review", ""))
    page.get_by_label("To confirm, type “Story study”").fill("Story study")
    page.get_by_role("button", name="Stop 1 analysis").press("Enter")
    page.get_by_role("heading", name="Done for 1 of 1 rows").wait_for()
    looker.look_around(Shown("many-done", ""))
    wear(context, site, study.administrator.sign_in())
    looker.look(Shown("many-one", reverse("operate_recording", args=[done.recording_id])))
    page.get_by_role("button", name="Erase the recording…").press("Enter")
    page.get_by_role("heading", name="What will happen").wait_for()
    looker.look_around(Shown("many-erase", ""))
    assert looker.troubles == []


def test_many_are_acted_on_without_scripting(site: str, unscripted: BrowserContext) -> None:
    study = open_study(keep_media=True)
    consenting(study)
    analysed(study)
    wear(unscripted, site, study.researcher.sign_in())
    page = unscripted.new_page()
    page.goto(site + reverse("operate_recordings"))
    page.get_by_label("With which rows?").select_option("page")
    page.get_by_label("What?").select_option("repeat")
    page.get_by_role("button", name="See what would happen…").click()
    page.get_by_role("button", name="Analyse 1 photograph again").click()
    page.get_by_role("heading", name="Done for 1 of 1 rows").wait_for()
    page.reload()
    page.get_by_role("heading", name="Done for 1 of 1 rows").wait_for()
    assert Analysis.objects.count() == 2
    page.go_back()
    page.get_by_role("heading", name="Analyse again with the models in use now").wait_for()
    page.go_back()
    page.get_by_role("heading", name="Recordings", exact=True).wait_for()
