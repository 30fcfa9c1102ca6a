"""Pages that ask by themselves how things stand: what has the focus keeps it, and a session may end."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from django.urls import reverse
from playwright.sync_api import BrowserContext, Page, expect

from audit_log.actions import ReasonCode
from consent.withdrawals import withdraw
from emotion.cohort import ask
from emotion.models import CohortQuestion
from emotion.reanalysis import analyse_again
from tests.browser.looking import wear
from tests.browser.test_group import COUNTS, answered
from tests.cast import Study, analysed, consenting, open_study

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("fresh_db")]


@pytest.fixture
def study() -> Study:
    return open_study(keep_media=True)


def asked_twice(page: Page, part: str) -> None:
    """Wait until what stands there has been replaced, and replaced again."""
    for _each in range(2):
        page.locator(part).evaluate("each => { each.dataset.seen = '' }")
        expect(page.locator(f"{part}[data-seen]")).to_have_count(0)
        page.locator(part).wait_for()


def asks_to_sign_in(page: Page, site: str, door: str) -> None:
    """The session ends; the next time the page asks, all of it becomes the sign-in page."""
    here = page.url.removeprefix(site)
    page.context.clear_cookies()
    page.wait_for_url(f"{site}{reverse(door)}?next={quote(here)}")
    expect(page.locator("main")).to_have_count(1)
    expect(page.locator("h1")).to_have_count(1)


def keeps_the_focus(page: Page, section: str, link: str) -> None:
    """While a section asks again, a link outside what it swaps stays in focus, and the region is spoken."""
    page.locator(section).evaluate("each => { each.dataset.spoken = '' }")
    focused = page.get_by_role("link", name=link)
    focused.focus()
    asked_twice(page, f"{section} h2")
    expect(focused).to_be_focused()
    expect(page.locator(f"{section}[data-spoken][aria-live=polite]")).to_have_count(1)


def test_the_page_of_an_erasure_keeps_the_focus(
    site: str, context: BrowserContext, study: Study
) -> None:
    person = consenting(study)
    erasure = withdraw(person.actor, person.subject, study.purpose)
    wear(context, site, person.browser)
    page = context.new_page()
    page.goto(site + reverse("erasure", args=[erasure.id]))
    keeps_the_focus(page, "#erasure", "Download the receipt")
    asks_to_sign_in(page, site, "subject_sign_in")


def test_the_page_of_a_recording_keeps_the_focus(
    site: str, context: BrowserContext, study: Study
) -> None:
    person = consenting(study)
    waiting = analyse_again(study.researcher.actor, analysed(study).recording_id)
    wear(context, site, person.browser)
    page = context.new_page()
    page.goto(site + reverse("own_recording", args=[waiting.recording_id]))
    keeps_the_focus(page, "#analysis", "Look at the photograph")
    asks_to_sign_in(page, site, "subject_sign_in")


def test_an_answer_about_a_group_stays_while_another_is_counted(
    site: str, context: BrowserContext, study: Study
) -> None:
    answered(study, CohortQuestion.EXPRESSION, COUNTS)
    ask(study.researcher.actor, study.purpose.id, CohortQuestion.VALENCE, ReasonCode.QUALITY_CHECK)
    wear(context, site, study.researcher.sign_in())
    page = context.new_page()
    page.set_viewport_size({"width": 360, "height": 800})
    page.goto(site + reverse("operate_cohort", args=[study.purpose.id]))
    page.locator("#answers").evaluate("each => { each.dataset.spoken = '' }")
    table = page.locator(".table-box")
    table.evaluate("each => { each.tabIndex = 0; each.focus() }")  # as one that scrolls has it
    asked_twice(page, "#answers article:has(progress) h3")
    expect(table).to_be_focused()
    expect(page.locator("#answers[data-spoken][aria-live=polite]")).to_have_count(1)
    asks_to_sign_in(page, site, "account_login")
