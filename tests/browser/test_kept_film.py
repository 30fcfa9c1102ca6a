"""A film that is kept, beside its strips, in a real browser."""

from __future__ import annotations

import pytest
from django.urls import reverse
from playwright.sync_api import BrowserContext, Page, expect

from audit_log.actions import Action
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from emotion.models import Analysis
from tests.browser.looking import Looker, Shown, wear
from tests.cast import Person, Study, consenting
from tests.emotion.inference.scenes import Scene, as_film, sits, without
from tests.emotion.test_films import MEASURED, done, film_study

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("fresh_db")]


@pytest.fixture
def study() -> Study:
    return film_study(keep_media=True)


@pytest.fixture
def person(study: Study) -> Person:
    return consenting(study, categories=list(MEASURED))


@pytest.fixture
def analysis(study: Study, person: Person) -> Analysis:
    return done(study, as_film(Scene(6, without(2, 4, sits()))))


def looks() -> list[str]:
    integrate_once()
    found = LogEntry.objects.filter(action=Action.MEDIA_READ).order_by("index")
    return [f"{row.reason}" for row in found]


def line_at(page: Page) -> float:
    """Where the upright line of the first strip is, 0 to 1."""
    return float(page.locator("[data-strip] .now").first.get_attribute("x") or "nan") / 239


def test_the_film_plays_beside_its_strips(
    site: str, context: BrowserContext, study: Study, person: Person, analysis: Analysis
) -> None:
    looker = Looker(context, site)
    page = looker.page
    wear(context, site, person.browser)
    looker.look(Shown("film-kept", reverse("own_recording", args=[analysis.recording_id])))
    looker.look(Shown("film-closed", reverse("own_result", args=[analysis.id])))
    before = looks()
    page.get_by_role("button", name="Show the film").press("Enter")
    film = page.locator("video")
    expect(film).to_be_visible(timeout=20_000)
    expect(film).to_be_focused()
    assert looks() == [*before, "own-access"], "one look is one entry"
    assert film.evaluate("film => film.duration") == pytest.approx(6, abs=0.3)
    assert film.evaluate("film => film.videoWidth") == 854
    page.get_by_role("button", name="0:02").first.press("Enter")
    expect(film).to_have_js_property("seeking", False)
    assert film.evaluate("film => film.currentTime") == pytest.approx(2, abs=0.3)
    assert line_at(page) == pytest.approx(2 / 5.9, abs=0.06)
    strip = page.locator("[data-strip]").first
    box = strip.bounding_box()
    assert box
    strip.click(position={"x": box["width"] * 0.9, "y": box["height"] / 2})
    expect(film).to_have_js_property("seeking", False)
    assert film.evaluate("film => film.currentTime") == pytest.approx(0.9 * 5.9, abs=0.1)
    assert line_at(page) == pytest.approx(0.9, abs=0.02)
    looker.look_around(Shown("film-open", ""))
    page.get_by_text("How it was measured").press("Enter")
    expect(page.get_by_text("ONNX Runtime")).to_be_visible()
    looker.look_around(Shown("film-measured", ""))
    assert looker.troubles == []


def test_an_operators_look_is_for_the_reason_that_was_stated(
    site: str, context: BrowserContext, study: Study, person: Person, analysis: Analysis
) -> None:
    wear(context, site, study.researcher.sign_in())
    page = context.new_page()
    page.goto(site + reverse("operate_result", args=[analysis.id]))
    page.get_by_label("To check the quality").check()
    page.get_by_role("button", name="Open the result").click()
    assert looks() == []
    page.get_by_role("button", name="Show the film").click()
    expect(page.locator("video")).to_be_visible(timeout=20_000)
    assert looks() == ["quality-check"]


def test_what_cannot_be_opened_says_so(
    site: str, context: BrowserContext, study: Study, person: Person, analysis: Analysis
) -> None:
    wear(context, site, person.browser)
    page = context.new_page()
    page.goto(site + reverse("own_result", args=[analysis.id]))
    person.browser.post(
        reverse("consent_withdraw", args=[study.purpose.id]), {"decision": "withdraw"}
    )
    page.get_by_role("button", name="Show the film").click()
    expect(page.get_by_role("alert")).to_contain_text("The film could not be opened")
    expect(page.get_by_role("button", name="Show the film")).to_be_enabled()
    expect(page.locator("video")).to_be_hidden()
