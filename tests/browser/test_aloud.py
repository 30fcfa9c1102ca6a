"""A notice that is read aloud, with voices of the device only.

The browser here has no voices, so the device is played: what it is given to say is kept in the page.
"""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.looking import Looker, Shown, wear
from tests.cast import Study, come_in, open_study

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("fresh_db")]

DEVICE = """voices => {
  window.said = [];
  window.SpeechSynthesisUtterance = class { constructor(text) { this.text = text; } };
  let queue = [];
  const speech = new EventTarget();
  speech.getVoices = () => voices;
  speech.speak = (utterance) => queue.push(utterance);
  speech.cancel = () => { queue = []; };
  window.sayNext = () => {
    const now = queue.shift();
    if (!now) return false;
    now.onstart();
    window.said.push([now.voice.name, now.text]);
    now.onend();
    return queue.length > 0;
  };
  window.learn = (voice) => { voices.push(voice); speech.dispatchEvent(new Event("voiceschanged")); };
  Object.defineProperty(window, "speechSynthesis", { value: speech });
}"""


def voice(name: str, language: str, *, here: bool = True, default: bool = False) -> dict[str, Any]:
    """A voice as a browser lists it."""
    return {"name": name, "lang": language, "localService": here, "default": default}


def device(page: Page, *voices: dict[str, Any]) -> None:
    """Give the next pages a device with these voices."""
    listed = str(list(voices)).replace("True", "true").replace("False", "false")
    page.add_init_script(f"({DEVICE})({listed})")


@pytest.fixture
def study() -> Study:
    return open_study()


def test_the_notice_is_read_as_it_is_seen(site: str, context: BrowserContext, study: Study) -> None:
    looker = Looker(context, site)
    page = looker.page
    wear(context, site, come_in(study).browser)
    device(
        page,
        voice("elsewhere", "en-US", here=False, default=True),
        voice("other", "fr-FR"),
        voice("own", "en_GB"),
    )
    looker.look(Shown("notice-aloud", reverse("consent_notice", args=[study.purpose.id])))
    button = page.get_by_role("button", name="Read this page aloud")
    button.press("Enter")
    expect(page.get_by_role("button", name="Stop reading")).to_be_focused()
    while page.evaluate("sayNext()"):
        assert page.locator(".is-aloud").count() <= 1
    expect(button).to_be_visible()
    expect(page.locator(".is-aloud")).to_have_count(0)
    said = page.evaluate("said")
    assert {name for name, _text in said} == {"own"}
    texts = [text for _name, text in said]
    summary = page.locator("#notice-summary").inner_text().splitlines()
    glance = page.locator("#notice-glance").inner_text().splitlines()
    choices = page.locator("label.choice").all_inner_texts()
    assert texts[0] == page.locator("h1").inner_text()
    for line in [*summary, *glance, *"\n".join(choices).splitlines()]:
        assert not line.strip() or texts.count(line.strip()) >= 1, line
    hidden = page.locator("#notice-text p").first.text_content() or ""
    assert hidden.strip()
    assert hidden.strip() not in texts, "the full notice is closed"
    page.get_by_text("The full notice").click()
    button.press("Enter")
    page.evaluate("() => { while (sayNext()); }")
    assert hidden.strip().splitlines()[0] in [text for _name, text in page.evaluate("said")]
    button.press("Enter")
    page.evaluate("sayNext()")
    looker.look_around(Shown("notice-being-read", ""))
    page.get_by_role("button", name="Stop reading").press("Enter")
    assert page.evaluate("sayNext()") is False, "the rest is not said"
    expect(page.locator(".is-aloud")).to_have_count(0)
    assert looker.troubles == []


@pytest.mark.parametrize(
    "voices",
    [
        [],
        [voice("elsewhere", "en-US", here=False, default=True)],
        [voice("other", "de-DE", default=True)],
    ],
    ids=["none", "only in a cloud", "only another language"],
)
def test_without_a_voice_of_the_device_nothing_is_offered(
    site: str, context: BrowserContext, study: Study, voices: list[dict[str, Any]]
) -> None:
    wear(context, site, come_in(study).browser)
    page = context.new_page()
    device(page, *voices)
    page.goto(site + reverse("consent_notice", args=[study.purpose.id]))
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.wait_for_load_state("load")
    expect(page.locator("[data-aloud-control]")).to_be_hidden()
    page.evaluate("learn({name: 'late', lang: 'en-AU', localService: true, default: false})")
    expect(page.get_by_role("button", name="Read this page aloud")).to_be_visible()


def test_a_browser_that_cannot_speak_offers_nothing(
    site: str, context: BrowserContext, study: Study
) -> None:
    wear(context, site, come_in(study).browser)
    page = context.new_page()
    page.add_init_script("Object.defineProperty(window, 'speechSynthesis', {value: undefined})")
    page.goto(site + reverse("consent_notice", args=[study.purpose.id]))
    page.wait_for_load_state("load")
    expect(page.locator("[data-aloud-control]")).to_be_hidden()
