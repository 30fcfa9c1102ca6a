"""Every page of a data subject and of the public in a real browser: on a phone and in the dark too."""

from __future__ import annotations

import re
from datetime import timedelta

import cv2
import numpy as np
import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import BrowserContext, FilePayload, expect

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
from tests.browser.looking import COMPLAINT, Looker, Shown, keep_picture, wear
from tests.cast import (
    CHILDREN,
    PHOTO,
    Person,
    Study,
    analysed,
    child_says,
    come_in,
    consenting,
    guardian_says,
    invite,
    measured,
    much_happens,
    open_study,
    upload,
)
from tests.emotion.inference.test_occlusion import drawn

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("fresh_db")]


def blank() -> bytes:
    """A photograph of nothing."""
    return bytes(cv2.imencode(".png", np.full((300, 300, 3), 128, np.uint8))[1])


NOT_A_PHOTO: FilePayload = {"name": "notes.jpg", "mimeType": "image/jpeg", "buffer": b"no picture"}


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
    looker.look(Shown("not-a-page", reverse("set_language"), 405))
    looker.look(Shown("sign-in", reverse("subject_sign_in")))
    looker.look(Shown("sign-in-undone", f"{reverse('subject_sign_in')}?undone=1"))
    again = f"{reverse('subject_sign_in')}?next={reverse('mfa_add_webauthn')}&again=1"
    looker.look(Shown("sign-in-again", again))
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


def test_which_list_is_on_shows_in_forced_colours(site: str, context: BrowserContext) -> None:
    """Where the browser draws every ground in one colour."""
    wear(context, site, come_in(open_study()).browser)
    page = context.new_page()
    page.emulate_media(forced_colors="active")
    for lists, on in (("", "Everything"), ("?looks=1", "Looks by others")):
        page.goto(site + reverse("access_history") + lists)
        links = page.get_by_role("navigation", name="What to show").get_by_role("link")
        outlines = "all => all.map(each => getComputedStyle(each).outline)"
        found = dict(zip(links.all_inner_texts(), links.evaluate_all(outlines), strict=True))
        outlined = {name for name, outline in found.items() if "solid 2px" in outline}
        assert outlined == {on}, found
        assert "rgba(0, 0, 0, 0)" not in found[on]
    keep_picture(page, "who-looked-forced-colours")


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
    notice = reverse("consent_notice", args=[study.purpose.id])
    looker.look(Shown("notice-agreed", notice, unfolded=True))
    looker.page.goto(site + notice)
    looker.page.click("summary:has-text('Choose again')")
    looker.page.check("input[value=media]")
    looker.expected = 422
    looker.page.click("text=Say yes to what I ticked")
    looker.page.get_by_role("heading", name="This erases something").wait_for()
    looker.look_around(Shown("notice-leaves-out", "", 422))
    looker.expected = 200
    looker.page.click("text=Back to my choices")
    assert looker.page.locator("details[open] input:checked").count() == 1
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
    looker.look(Shown("who-looked", reverse("access_history"), unfolded=True))
    much_happens(person, study.purpose, 1001)
    looker.look(Shown("who-looked-many", reverse("access_history") + "?before=100"))
    assert looker.troubles == []


def test_pages_of_requests_are_clean(site: str, context: BrowserContext) -> None:
    study = open_study()
    person, officer = consenting(study), study.officer
    looker = Looker(context, site)
    wear(context, site, person.browser)
    looker.look(Shown("requests-none", reverse("own_requests")))
    looker.look(Shown("address", reverse("own_address")))
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


def test_what_is_kept_is_said_as_it_is_once_the_photograph_is_measured(
    site: str, context: BrowserContext
) -> None:
    """On the open page, without loading it again: what it said before is not true any more."""
    study = open_study()
    person = consenting(study)
    upload(study.key(), person.reference, study.purpose.id, PHOTO.read_bytes())
    waiting = Analysis.objects.get()
    wear(context, site, person.browser)
    looker = Looker(context, site)
    page = looker.page
    page.goto(site + reverse("own_recording", args=[waiting.recording_id]))
    kept = page.locator("#kept")
    expect(kept.locator("dd").first).to_contain_text("Stored, sealed, at the latest until")
    measured(waiting)
    page.get_by_role("link", name="Open the result").wait_for()
    expect(kept).to_have_count(1)
    expect(kept).not_to_contain_text("Stored, sealed")
    expect(kept.locator("dd").first).to_have_text(re.compile("Erased|closed, being erased"))
    looker.look_around(Shown("recording-measured", ""))
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
    looker.send("button[value='stop:expression']")
    looker.look_around(Shown("change-with-another-part", ""))
    looker.send("text=Pause the study")
    looker.look_around(Shown("change-paused", ""))
    looker.look(Shown("home-paused", reverse("subject_home")))
    looker.look(Shown("notice-paused", reverse("consent_notice", args=[study.purpose.id])))
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


def test_pages_of_coming_back_after_a_withdrawal_are_clean(
    site: str, context: BrowserContext
) -> None:
    study = open_study()
    person = consenting(study)
    withdraw(person.actor, person.subject, study.purpose)
    looker = Looker(context, site)
    wear(context, site, study.administrator.sign_in())
    both = [study.purpose.id, person.subject.id]
    looker.look(Shown("person-who-withdrew", reverse("operate_person", args=both)))
    looker.send("form[action$='/link-back/'] button")
    looker.look_around(Shown("link-back-card", ""))
    link = looker.page.locator("#invitation-link").inner_text()
    context.clear_cookies()
    looker.look(Shown("link-back", "/me/" + link.partition("/me/")[2]))
    looker.send("main form button")
    looker.look_around(Shown("home-after-coming-back", ""))
    assert looker.troubles == []


def test_pages_of_a_child_and_its_guardian_are_clean(site: str, context: BrowserContext) -> None:
    study = open_study(**CHILDREN, paper_allowed=True)
    child, purpose = come_in(study), [study.purpose.id]
    looker = Looker(context, site)
    wear(context, site, child.browser)
    looker.look(Shown("notice-with-age", reverse("consent_notice", args=purpose)))
    looker.page.goto(site + reverse("consent_notice", args=purpose))
    looker.page.get_by_role("button", name="I am 14 or older").press("Enter")
    looker.page.get_by_text("You said that you are 14 or older.").wait_for()
    looker.look_around(Shown("notice-after-age", ""))
    looker.page.get_by_role("link", name="That is wrong: ask me again").press("Enter")
    looker.page.get_by_role("button", name="I am younger").press("Enter")
    looker.page.wait_for_url("**/guardian/")
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


def test_the_page_of_a_covered_face_is_clean(site: str, context: BrowserContext) -> None:
    study = open_study()
    person = consenting(study)
    masked = cv2.cvtColor(drawn("mask", 3), cv2.COLOR_RGB2BGR)
    row = analysed(study, photo=cv2.imencode(".png", masked)[1].tobytes())
    looker = Looker(context, site)
    wear(context, site, person.browser)
    looker.look(Shown("own-result-covered", reverse("own_result", args=[row.id])))
    expect(looker.page.get_by_text("Something seems to cover the mouth or an eye")).to_be_visible()
    assert looker.page.locator(".bar").count() == 0
    assert looker.troubles == []
