"""The data subject's pages in each language on a small phone: long words must not widen a page."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.urls import reverse
from playwright.sync_api import BrowserContext

from consent.models import RequestKind
from tests.browser.looking import wear
from tests.browser.test_pages import looked_at
from tests.cast import consenting, open_study

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("fresh_db")]
OTHERS = [code for code, _name in settings.LANGUAGES if code != "en"]
TOO_WIDE = "document.documentElement.scrollWidth - window.innerWidth"
CUT_OFF = """() => [...document.querySelectorAll("main .badge, main button, main .button")].filter(
    e => e.offsetParent && e.getBoundingClientRect().right > innerWidth).map(e => e.innerText)"""


@pytest.mark.parametrize("language", OTHERS)
def test_every_page_fits_a_phone(site: str, context: BrowserContext, language: str) -> None:
    study = open_study()
    person = consenting(study)
    analysis = looked_at(study, person)
    person.browser.post(reverse("set_language"), {"language": language, "next": "/"})
    wear(context, site, person.browser)
    name = settings.LANGUAGE_COOKIE_NAME
    context.add_cookies([{"name": name, "value": language, "url": site}])
    page = context.new_page()
    page.set_viewport_size({"width": 360, "height": 800})
    of_study = ("consent_notice", "consent_done", "camera", "upload", "consent_withdraw")
    of_study += ("consent_change", "consent_history")
    alone = ("front", "retention_policy", "models", "subject_home", "own_requests", "own_trend")
    alone += ("access_history", "close_account", "mfa_index")
    for address in [
        *(reverse(each, args=[study.purpose.id]) for each in of_study),
        *map(reverse, alone),
        reverse("own_result", args=[analysis.id]),
        reverse("own_recording", args=[analysis.recording_id]),
        reverse("own_request_new", args=[RequestKind.values[0]]),
    ]:
        answer = page.goto(site + address)
        assert answer is not None
        assert answer.status == 200, address
        assert page.evaluate("document.documentElement.lang") == language, address
        assert page.evaluate(TOO_WIDE) <= 0, address
        assert page.evaluate(CUT_OFF) == [], address
