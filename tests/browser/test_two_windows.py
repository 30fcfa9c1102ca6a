"""Somebody withdraws in one window, and what other windows show of them opens in none of them again."""

from __future__ import annotations

import pytest
from django.urls import reverse
from playwright.sync_api import BrowserContext, Page, expect

from emotion.erasure import drain
from tests.browser.looking import wear
from tests.cast import analysed, consenting, open_study

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("fresh_db")]
SHOWN = "The expression looked happy"


def title(page: Page, text: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(text)


def reloaded(page: Page) -> int:
    """The status of the page that is open, asked for anew."""
    answer = page.reload()
    assert answer is not None
    return answer.status


def withdraw_in(page: Page, site: str) -> None:
    page.goto(site + reverse("subject_home"))
    page.get_by_role("link", name="Withdraw", exact=True).click()
    page.get_by_role("button", name="Withdraw my consent").click()
    title(page, "You have withdrawn from “Story study”")


def test_a_withdrawal_closes_what_another_window_shows(site: str, context: BrowserContext) -> None:
    study = open_study(keep_media=True)
    person, analysis = consenting(study), analysed(study)
    result = reverse("own_result", args=[analysis.id])
    wear(context, site, person.browser)
    first, second = context.new_page(), context.new_page()
    first.goto(site + result)
    title(first, SHOWN)
    assert context.browser is not None
    elsewhere = context.browser.new_context()
    wear(elsewhere, site, study.researcher.sign_in())
    third = elsewhere.new_page()
    asked = site + reverse("operate_result", args=[analysis.id])
    third.goto(asked)
    third.get_by_label("To work on the study").check()
    third.get_by_role("button", name="Open").click()
    title(third, SHOWN)

    withdraw_in(second, site)
    assert reloaded(first) == 403
    expect(first.get_by_text(SHOWN)).to_have_count(0)
    first.goto(site + reverse("subject_home"))
    first.go_back()
    expect(first.get_by_text(SHOWN)).to_have_count(0)
    third.goto(asked)
    third.get_by_label("To work on the study").check()
    third.get_by_role("button", name="Open").click()
    expect(third.locator(".error-summary")).to_be_visible()
    expect(third.get_by_text(SHOWN)).to_have_count(0)
    third.go_back()
    third.go_back()
    expect(third.get_by_text(SHOWN)).to_have_count(0)

    drain()
    expect(second.get_by_text("Erased", exact=True)).to_be_visible()
    assert reloaded(first) == 410
    elsewhere.close()
