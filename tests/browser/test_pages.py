"""Every page of a data subject and of the public in a real browser: on a phone and in the dark too."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.test import Client
from django.urls import reverse
from playwright.sync_api import BrowserContext, ConsoleMessage, Page

from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from consent.models import ConsentEvent, ErasureRequest, EventKind
from consent.withdrawals import withdraw
from emotion.analyses import run_analysis
from emotion.models import Analysis
from emotion.results import read_result
from tests.cast import PHOTO, Person, Study, come_in, consenting, invite, open_study, upload

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("fresh_db")]


@dataclass(frozen=True)
class Shown:
    """One page to look at: what its picture is called, its address, and the status it answers."""

    name: str
    address: str
    status: int = 200


def photographs() -> Path:
    """The folder that keeps the pictures of the pages."""
    folder = Path(os.environ.get("CONSENTRY_SCREENSHOTS") or settings.VAR_DIR / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def wear(context: BrowserContext, site: str, browser: Client) -> None:
    """Give the browser the session of a person of the cast."""
    name = settings.SESSION_COOKIE_NAME
    value = browser.cookies[name].value
    context.add_cookies([{"name": name, "value": value, "url": site}])


class Looker:
    """Opens pages at both widths and in both schemes, and notes whatever is wrong with them."""

    def __init__(self, context: BrowserContext, site: str) -> None:
        self.page, self.site = context.new_page(), site
        self.troubles: list[str] = []
        self.folder = photographs()
        self.expected = 200
        self.page.on("console", self.heard)
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("request", lambda asked: self.asked(asked.url))

    def heard(self, line: ConsoleMessage) -> None:
        # Chromium itself writes the status of a page that answers 403, 404 or 410.
        said_by_browser = f"status of {self.expected}" in line.text and self.expected >= 400
        if line.type == "error" and not said_by_browser:
            self.troubles.append(line.text)

    def asked(self, address: str) -> None:
        if not address.startswith((self.site, "data:", "blob:")):
            self.troubles.append(f"a request to another host: {address}")

    def look(self, shown: Shown) -> None:
        """Load once for each width; the scheme changes in the loaded page, as on a real device."""
        self.expected = shown.status
        for width in (360, 1280):
            self.page.set_viewport_size({"width": width, "height": 800})
            answer = self.page.goto(self.site + shown.address)
            assert answer is not None
            assert answer.status == shown.status, shown
            self.measure(shown, width)

    def measure(self, shown: Shown, width: int) -> None:
        page = self.page
        where = f"{shown.name} at {width}"
        wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        if wide > 0:
            self.troubles.append(f"{where} is {wide} px too wide")
        if page.evaluate("document.documentElement.lang") != "en":
            self.troubles.append(f"{where} does not say its language")
        if page.locator("h1").count() != 1:
            self.troubles.append(f"{where} has no single heading")
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            found = Axe().run(page).response["violations"]
            self.troubles += [
                f"{where}, {scheme}: {one['id']}: {one['nodes'][0]['html'][:120]}" for one in found
            ]
            picture = self.folder / f"{shown.name}-{width}-{scheme}.png"
            page.screenshot(path=picture, full_page=True)


def looked_at(study: Study, person: Person) -> Analysis:
    """An analysed photograph whose result a researcher has opened."""
    upload(study.key(), person.reference, study.purpose.id, PHOTO.read_bytes())
    analysis = Analysis.objects.latest("queued_at")
    run_analysis(analysis.id)
    read_result(study.researcher.actor, analysis.id, "study-analysis")
    integrate_once()
    return analysis


def test_public_pages_are_clean(site: str, context: BrowserContext) -> None:
    study = open_study()
    _subject, token = invite(study)
    _other, used = invite(study, "P-002")
    Client().post(reverse("invitation", args=[used]))
    looker = Looker(context, site)
    looker.look(Shown("front", reverse("front")))
    looker.look(Shown("operator-sign-in", reverse("account_login")))
    looker.look(Shown("invitation", reverse("invitation", args=[token])))
    looker.look(Shown("invitation-used", reverse("invitation", args=[used]), 410))
    looker.look(Shown("not-found", "/nowhere/", 404))
    looker.look(Shown("sign-in", reverse("subject_sign_in")))
    looker.page.fill("[name=email]", "nobody@example.org")
    looker.page.click("main form button.button")
    looker.page.wait_for_url("**/code/")
    looker.look(Shown("sign-in-code", reverse("subject_sign_in_code")))
    assert looker.troubles == []


def test_data_subject_pages_are_clean(site: str, context: BrowserContext) -> None:
    study = open_study(keep_media=True)
    person = come_in(study)
    looker = Looker(context, site)
    wear(context, site, person.browser)
    looker.look(Shown("home-asked", reverse("subject_home")))
    looker.look(Shown("notice", reverse("consent_notice", args=[study.purpose.id])))
    consenting(study, "P-002")

    person = consenting(study, "P-003")
    wear(context, site, person.browser)
    looker.look(Shown("done", reverse("consent_done", args=[study.purpose.id])))
    looker.look(Shown("upload", reverse("upload", args=[study.purpose.id])))
    upload(study.key(), "P-003", study.purpose.id, PHOTO.read_bytes())
    waiting = Analysis.objects.get()
    looker.look(Shown("recording-waiting", reverse("own_recording", args=[waiting.recording_id])))
    analysis = looked_at(study, person)
    looker.look(Shown("recording", reverse("own_recording", args=[analysis.recording_id])))
    looker.look(Shown("result", reverse("own_result", args=[analysis.id])))
    looker.look(Shown("home", reverse("subject_home")))
    looker.look(Shown("account", reverse("mfa_index")))
    looker.look(Shown("who-looked", reverse("access_history")))
    looker.look(Shown("withdraw", reverse("consent_withdraw", args=[study.purpose.id])))

    withdraw(person.actor, person.subject, study.purpose)
    integrate_once()
    erasure = ErasureRequest.objects.latest("requested_at")
    looker.look(Shown("erasure", reverse("erasure", args=[erasure.id])))
    looker.look(Shown("home-withdrawn", reverse("subject_home")))
    looker.look(Shown("result-refused", reverse("own_result", args=[analysis.id]), 403))
    assert ConsentEvent.objects.filter(kind=EventKind.WITHDRAWN).count() == 1
    assert LogEntry.objects.exists()
    assert looker.troubles == []
