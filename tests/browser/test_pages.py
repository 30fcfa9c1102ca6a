"""Every page of a data subject and of the public in a real browser: on a phone and in the dark too."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import BrowserContext, ConsoleMessage, FilePayload

from audit_log.sequencer import integrate_once
from consent.models import (
    ConsentState,
    ErasureRequest,
    RefusalGround,
    RequestOutcome,
    SubjectRequest,
)
from consent.request_answers import Answer, answer, take
from consent.withdrawals import withdraw
from emotion.analyses import run_analysis
from emotion.erasure import drain
from emotion.models import Analysis
from emotion.results import read_result
from tests.breaches import breach_told
from tests.browser import pseudo
from tests.cast import (
    CHILDREN,
    PHOTO,
    Person,
    Study,
    child_says,
    come_in,
    consenting,
    guardian_says,
    invite,
    open_study,
    upload,
)

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("fresh_db")]


@dataclass(frozen=True)
class Shown:
    """One page to look at: what its picture is called, its address, and the status it answers."""

    name: str
    address: str
    status: int = 200


def photographs() -> Path:
    """The folder that keeps the pictures of the pages."""
    folder = Path(
        os.environ.get("CONSENTRY_SCREENSHOTS") or settings.VAR_DIR.parent / "screenshots"
    )
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def wear(context: BrowserContext, site: str, browser: Client) -> None:
    """Give the browser the session of a person of the cast."""
    name = settings.SESSION_COOKIE_NAME
    value = browser.cookies[name].value
    context.add_cookies([{"name": name, "value": value, "url": site}])


AXE = Axe().axe_script
"""Put into a page once; axe_playwright_python itself would send it again for each look."""


def blank() -> bytes:
    """A photograph of nothing."""
    return bytes(cv2.imencode(".png", np.full((300, 300, 3), 128, np.uint8))[1])


NOT_A_PHOTO: FilePayload = {"name": "notes.jpg", "mimeType": "image/jpeg", "buffer": b"no picture"}


COMPLAINT = "Nobody told me how long my photographs are kept."
SEALED = f"{COMPLAINT} A disk was stolen. The lock was changed. It was not sealed."
"""What people of these tests type, and no table shows."""


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
        """Load once; width and scheme change in the loaded page, as when a device is turned."""
        self.expected = shown.status
        with pseudo.spoken(self.page, self.site):
            self.open(shown)
            self.troubles += pseudo.barriers(self.page, shown.name, SEALED)
        for code in pseudo.others():
            with pseudo.spoken(self.page, self.site, code):
                self.open(shown)
                self.look_around(replace(shown, name=f"{shown.name}-{code}"), code)
        self.open(shown)
        self.look_around(shown)

    def send(self, button: str) -> None:
        """Send a form, and wait for the page that answers it."""
        with self.page.expect_navigation():
            self.page.click(button)

    def open(self, shown: Shown) -> None:
        answer = self.page.goto(self.site + shown.address)
        assert answer is not None
        assert answer.status == shown.status, shown

    def look_around(self, shown: Shown, language: str = "en") -> None:
        """Look at the page that is open, for instance after a form came back."""
        self.page.evaluate(AXE)
        for width in (360, 1280):
            self.page.set_viewport_size({"width": width, "height": 800})
            self.measure(shown, width, language)

    def measure(self, shown: Shown, width: int, language: str) -> None:
        page = self.page
        where = f"{shown.name} at {width}"
        wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        if wide > 0:
            self.troubles.append(f"{where} is {wide} px too wide")
        if page.evaluate("document.documentElement.lang") != language:
            self.troubles.append(f"{where} does not say its language")
        if page.locator("h1").count() != 1:
            self.troubles.append(f"{where} has no single heading")
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            found = page.evaluate("async () => (await axe.run()).violations")
            self.troubles += [
                f"{where}, {scheme}: {one['id']}: {one['nodes'][0]['html'][:120]}" for one in found
            ]
            picture = self.folder / f"{shown.name}-{width}-{scheme}.png"
            page.screenshot(path=picture, full_page=True, timeout=30_000)


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
    looker.expected = 422
    looker.page.fill("[name=code]", "000000")
    looker.page.click("main form button.button")
    looker.page.locator(".error-summary").wait_for()
    looker.look_around(Shown("sign-in-code-wrong", "", 422))
    assert looker.troubles == []


def test_pages_before_and_after_a_decision_are_clean(site: str, context: BrowserContext) -> None:
    study = open_study()
    looker = Looker(context, site)
    wear(context, site, come_in(study).browser)
    looker.look(Shown("home-asked", reverse("subject_home")))
    looker.look(Shown("notice", reverse("consent_notice", args=[study.purpose.id])))
    looker.expected = 422
    looker.page.click("text=Say yes to what I ticked")
    looker.page.locator(".error-summary").wait_for()
    looker.look_around(Shown("notice-nothing-ticked", "", 422))
    looker.page.click("text=No, I do not take part")
    looker.page.wait_for_url("**/done/")
    looker.look_around(Shown("done-no", ""))
    wear(context, site, consenting(study, "P-002").browser)
    looker.look(Shown("done", reverse("consent_done", args=[study.purpose.id])))
    looker.look(Shown("notice-agreed", reverse("consent_notice", args=[study.purpose.id])))
    looker.look(Shown("home-live", reverse("subject_home")))
    looker.page.click("text=Sign out")
    looker.page.locator(".message").wait_for()
    looker.look_around(Shown("signed-out", ""))
    assert looker.troubles == []


def test_pages_about_recordings_are_clean(site: str, context: BrowserContext) -> None:
    study = open_study(keep_media=True)
    person = consenting(study)
    looker = Looker(context, site)
    wear(context, site, person.browser)
    upload_page = reverse("upload", args=[study.purpose.id])
    looker.look(Shown("camera", reverse("camera", args=[study.purpose.id])))
    looker.look(Shown("upload", upload_page))
    looker.expected = 422
    looker.page.set_input_files("[name=file]", [NOT_A_PHOTO])
    looker.page.click("text=Send the photograph")
    looker.page.locator(".error-summary").wait_for()
    looker.look_around(Shown("upload-refused", "", 422))
    upload(study.key(), person.reference, study.purpose.id, blank())
    waiting = Analysis.objects.get()
    looker.look(Shown("recording-waiting", reverse("own_recording", args=[waiting.recording_id])))
    run_analysis(waiting.id)
    looker.look(Shown("result-without-face", reverse("own_result", args=[waiting.id])))
    analysis = looked_at(study, person)
    looker.look(Shown("recording", reverse("own_recording", args=[analysis.recording_id])))
    looker.look(Shown("result", reverse("own_result", args=[analysis.id])))
    looker.look(Shown("over-time-off", reverse("own_trend")))
    looker.page.click("button[value=on]")
    looker.page.locator("svg.strip").first.wait_for()
    looker.look_around(Shown("over-time", ""))
    looker.look(Shown("result-again", reverse("own_result", args=[analysis.id])))
    looker.page.click("text=movements as a table")
    looker.look_around(Shown("result-table", ""))
    own = [analysis.recording_id]
    looker.look(Shown("photograph", reverse("own_photograph", args=own)))
    looker.page.goto(site + reverse("own_recording", args=own))
    looker.send("text=This is not me")
    looker.look_around(Shown("recording-disputed", ""))
    looker.look(Shown("photograph-refused", reverse("own_photograph", args=own), 403))
    looker.look(Shown("home", reverse("subject_home")))
    looker.page.goto(site + reverse("own_recording", args=own))
    looker.send("text=Erase it now")
    looker.look_around(Shown("recording-disputed-erased", ""))
    looker.look(Shown("who-looked", reverse("access_history")))
    assert looker.troubles == []


def test_pages_of_requests_are_clean(site: str, context: BrowserContext) -> None:
    study = open_study()
    person, officer = consenting(study), study.officer
    looker = Looker(context, site)
    wear(context, site, person.browser)
    looker.look(Shown("requests-none", reverse("own_requests")))
    looker.look(Shown("request-new", reverse("own_request_new", args=["erasure"])))
    looker.look(Shown("request-new-complaint", reverse("own_request_new", args=["complaint"])))
    looker.page.fill("[name=text]", COMPLAINT)
    looker.page.click("text=Send the request")
    looker.page.locator(".message").wait_for()
    looker.look_around(Shown("request-waiting", ""))
    looker.look(Shown("home-request", reverse("subject_home")))
    asked = SubjectRequest.objects.get()
    take(officer.actor, officer.user, asked.id)
    given = Answer(RequestOutcome.REFUSED, "It is in the notice.", RefusalGround.EXCESSIVE)
    answer(officer.actor, officer.user, asked.id, given)
    looker.look(Shown("request-refused", reverse("own_request", args=[asked.id])))
    looker.look(Shown("requests", reverse("own_requests")))
    breach = breach_told(study)
    looker.look(Shown("home-breach", reverse("subject_home")))
    looker.look(Shown("breach", reverse("own_breach", args=[breach.id])))
    assert looker.troubles == []


def test_pages_around_a_withdrawal_are_clean(site: str, context: BrowserContext) -> None:
    study = open_study()
    person = consenting(study)
    looker = Looker(context, site)
    wear(context, site, person.browser)
    analysis = looked_at(study, person)
    looker.look(Shown("account", reverse("mfa_index")))
    looker.look(Shown("download", reverse("own_bundle", args=[study.purpose.id])))
    change = reverse("consent_change", args=[study.purpose.id])
    looker.look(Shown("change", change))
    looker.send("text=Pause the study")
    looker.look_around(Shown("change-paused", ""))
    looker.look(Shown("home-paused", reverse("subject_home")))
    looker.page.goto(site + change)
    looker.page.click("text=Let it go on")
    looker.look(Shown("withdraw", reverse("consent_withdraw", args=[study.purpose.id])))
    withdraw(person.actor, person.subject, study.purpose)
    erasure = reverse("erasure", args=[ErasureRequest.objects.latest("requested_at").id])
    recording = reverse("own_recording", args=[analysis.recording_id])
    looker.look(Shown("erasure", erasure))
    looker.look(Shown("home-withdrawn", reverse("subject_home")))
    looker.look(Shown("recording-closed", recording))
    looker.look(Shown("result-refused", reverse("own_result", args=[analysis.id]), 403))
    drain()
    looker.look(Shown("erasure-done", erasure))
    looker.look(Shown("recording-erased", recording))
    looker.look(Shown("result-erased", reverse("own_result", args=[analysis.id]), 410))
    assert looker.troubles == []


def test_pages_of_a_child_and_its_guardian_are_clean(site: str, context: BrowserContext) -> None:
    study = open_study(**CHILDREN, paper_allowed=True)
    child, purpose = come_in(study), [study.purpose.id]
    looker = Looker(context, site)
    wear(context, site, child.browser)
    looker.look(Shown("notice-with-age", reverse("consent_notice", args=purpose)))
    guardian = reverse("consent_guardian", args=purpose)
    looker.look(Shown("guardian", guardian))
    looker.expected = 422
    looker.page.click("text=Yes, and now ask the child")
    looker.page.locator(".error-summary").wait_for()
    looker.look_around(Shown("guardian-refused", "", 422))
    guardian_says(child, study.purpose)
    looker.look(Shown("assent", reverse("consent_assent", args=purpose)))
    looker.expected = 422
    looker.page.click("main form button[value=give]")
    looker.page.locator(".error-summary").wait_for()
    looker.look_around(Shown("assent-not-ticked", "", 422))
    child_says(child, study.purpose)
    looker.look(Shown("home-of-a-child", reverse("subject_home")))
    looker.look(Shown("history-of-a-child", reverse("consent_history", args=purpose)))
    looker.look(Shown("withdraw-of-a-child", reverse("consent_withdraw", args=purpose)))
    assert looker.troubles == []


def test_pages_of_a_consent_that_ends_soon_are_clean(site: str, context: BrowserContext) -> None:
    study = open_study()
    person = consenting(study)
    soon = timezone.now() + timedelta(days=3)
    ConsentState.objects.update(valid_until=soon, remind_at=soon - timedelta(days=14))
    looker = Looker(context, site)
    wear(context, site, person.browser)
    looker.look(Shown("home-ends-soon", reverse("subject_home")))
    looker.look(Shown("notice-ends-soon", reverse("consent_notice", args=[study.purpose.id])))
    assert looker.troubles == []
