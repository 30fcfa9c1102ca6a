"""The page of the API in a real browser: on a phone, in the dark, and without scripting."""

from __future__ import annotations

import pytest
from django.urls import reverse
from playwright.sync_api import BrowserContext

from tests.browser.looking import Looker, Shown

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("fresh_db")]


def test_the_page_of_the_api_is_clean(site: str, context: BrowserContext) -> None:
    looker = Looker(context, site)
    looker.look(Shown("api-docs", reverse("api_docs"), unfolded=True))
    assert looker.troubles == []


def test_a_link_leads_to_its_operation_without_scripting(
    site: str, unscripted: BrowserContext
) -> None:
    page = unscripted.new_page()
    page.goto(site + reverse("api_docs"))
    page.click("nav.api-index a[href='#analyses_result']")
    section = page.locator("#analyses_result")
    assert page.url.endswith("#analyses_result")
    box = section.bounding_box()
    assert box is not None
    assert 0 <= box["y"] < 400
    assert "Access-Reason: study-analysis" in section.inner_text()
