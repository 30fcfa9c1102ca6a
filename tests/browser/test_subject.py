"""The whole life of a consent in a real browser: by keyboard alone, and once without scripting."""

from __future__ import annotations

import pytest
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.urls import reverse
from playwright.sync_api import BrowserContext, Locator, Page, expect

from audit_log.actions import Action
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from consent.models import ConsentEvent, ConsentState, EventKind
from emotion.analyses import run_analysis
from emotion.erasure import drain
from emotion.models import Analysis, AnalysisState
from emotion.results import read_result
from emotion.sealed_media import blob_path
from tests.cast import CATEGORIES, PHOTO, Study, invite, open_study

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("fresh_db")]
MOST_TABS = 60


class Keyboard:
    """A person without a mouse. Counts what they press to act, and every field they fill in."""

    def __init__(self, context: BrowserContext, site: str) -> None:
        self.page, self.site = context.new_page(), site
        self.troubles: list[str] = []
        self.presses = self.fields = 0
        self.page.on(
            "console", lambda m: self.note(m.text) if m.type in {"error", "warning"} else 0
        )
        self.page.on("pageerror", lambda error: self.note(str(error)))
        self.page.on("request", lambda asked: self.asked(asked.url))
        # Playwright catches the window for choosing files only while somebody listens, and says so to
        # the browser without waiting: listening from the start leaves no gap.
        self.page.on("filechooser", lambda _chooser: None)
        # A refusal by the content policy is an event of the page, whatever the console says of it.
        self.page.expose_function("violated", self.note)
        self.page.add_init_script(
            "document.addEventListener('securitypolicyviolation', e =>"
            " window.violated('policy: ' + e.violatedDirective + ' ' + e.blockedURI))"
        )

    def note(self, trouble: str) -> None:
        self.troubles.append(trouble)

    def asked(self, address: str) -> None:
        if not address.startswith((self.site + "/", "data:", "blob:")):
            self.note(f"a request to another host: {address}")

    def reach(self, target: Locator) -> None:
        """Tab until the target has the focus, and see that the focus can be seen."""
        expect(target).to_have_count(1)
        for _tab in range(MOST_TABS):
            if target.evaluate("element => element === document.activeElement"):
                break
            self.page.keyboard.press("Tab")
        else:
            raise AssertionError(f"no way by keyboard to {target}")
        drawn = target.evaluate(
            "e => [e, e.closest('.choice')].map(b => b ? getComputedStyle(b).outlineStyle : 'none')"
        )
        assert set(drawn) != {"none"}, f"the focus on {target} cannot be seen"

    def press(self, role: str, name: str, key: str = "Enter") -> None:
        target = self.page.locator("body").get_by_role(role, name=name, exact=True).first  # type: ignore[arg-type]  # Playwright lists the roles as literals
        self.reach(target)
        self.page.keyboard.press(key)
        self.presses += 1

    def taken(self) -> tuple[int, int]:
        """How many presses and fields since the last time."""
        taken, self.presses, self.fields = (self.presses, self.fields), 0, 0
        return taken


def heading(page: Page, text: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(text)


def answered(study: Study) -> Analysis:
    """Let the analysis run and a researcher read its result."""
    analysis = Analysis.objects.get()
    run_analysis(analysis.id)
    analysis.refresh_from_db()
    assert analysis.state == AnalysisState.DONE, analysis.reason
    read_result(study.researcher.actor, analysis.id, "study-analysis")
    integrate_once()
    return analysis


def status_of(page: Page, address: str) -> int:
    answer = page.goto(address)
    assert answer is not None
    return answer.status


def give(person: Keyboard) -> tuple[int, int]:
    """Tick every box, which nobody ticked before, and say yes; returns what that took."""
    boxes = person.page.get_by_role("checkbox")
    expect(boxes).to_have_count(len(CATEGORIES))
    assert [box.is_checked() for box in boxes.all()] == [False] * len(CATEGORIES)
    person.taken()
    for box in boxes.all():
        person.reach(box)
        person.page.keyboard.press("Space")
        person.fields += 1
    person.press("button", "Say yes to what I ticked")
    heading(person.page, "Your consent is recorded")
    return person.taken()


def send_photograph(person: Keyboard) -> None:
    """Choose the file in the browser's own window, opened by a key."""
    page = person.page
    heading(page, "Add a photograph")
    person.reach(page.get_by_label("Photograph"))
    with page.expect_file_chooser() as chosen:
        page.keyboard.press("Enter")
    chosen.value.set_files(PHOTO)
    person.press("button", "Send the photograph")
    heading(page, "Recording")
    expect(page.get_by_text("It waits for its turn.")).to_be_visible()


def stop(person: Keyboard) -> tuple[int, int]:
    """Withdraw, from the person's start page; returns what that took."""
    heading(person.page, "One study may measure your face")
    person.taken()
    person.press("link", "Withdraw")
    heading(person.page, "Withdraw from “Story study”")
    person.press("button", "Withdraw my consent")
    heading(person.page, "You have withdrawn from “Story study”")
    return person.taken()


def test_whole_life_of_a_consent_by_keyboard(site: str, context: BrowserContext) -> None:
    study = open_study(keep_media=True)
    _subject, token = invite(study)
    person = Keyboard(context, site)
    page = person.page

    page.goto(site + reverse("invitation", args=[token]))
    heading(page, "You are invited to “Story study”")
    assert not ConsentEvent.objects.filter(kind=EventKind.NOTICE_SHOWN).exists()
    person.press("button", "Open my invitation")
    heading(page, "Smiles")
    person.press("link", "Skip to content")
    person.reach(page.get_by_text("The full notice"))
    page.keyboard.press("Enter")
    expect(page.get_by_text("All of it.")).to_be_visible()
    giving = give(person)
    assert ConsentState.objects.get().categories == CATEGORIES
    with page.expect_download() as receipt:
        person.press("link", "Download the receipt")
    assert receipt.value.suggested_filename == "consent-receipt.json"

    person.press("link", "Add a photograph")
    send_photograph(person)
    analysis = answered(study)
    # The page asks again by itself.
    person.press("link", "Open the result")
    heading(page, "The expression looked happy")
    expect(page.get_by_text("What this is not.")).to_be_visible()
    person.press("link", "Who else looked")
    heading(page, "Who looked, and why")
    expect(page.get_by_text("A result about you was read").first).to_be_visible()
    expect(page.get_by_text("analysis for the study")).to_be_visible()

    person.press("link", "My studies")
    withdrawing = stop(person)
    assert withdrawing == (2, 0)
    assert sum(withdrawing) <= sum(giving), (withdrawing, giving)
    drain()
    expect(page.get_by_text("Erased", exact=True)).to_be_visible()
    assert not blob_path(analysis.recording.media_key_id).exists()
    person.press("link", "My studies")
    heading(page, "No study may measure your face")
    assert person.troubles == []
    nothing_opens(person, study, analysis)


def nothing_opens(person: Keyboard, study: Study, analysis: Analysis) -> None:
    """After the erasure. Chromium itself writes refused pages to the console, so this comes last."""
    page, site = person.page, person.site
    assert status_of(page, site + reverse("own_result", args=[analysis.id])) == 410
    heading(page, "It is no longer here")
    page.goto(site + reverse("upload", args=[study.purpose.id]))
    heading(page, "No study may measure your face")
    person.press("button", "Sign out")
    expect(page.get_by_text("You are signed out.")).to_be_visible()
    page.goto(site + reverse("subject_home"))
    heading(page, "Sign in as a participant")


def test_whole_life_of_a_consent_without_scripting(site: str, unscripted: BrowserContext) -> None:
    study = open_study()
    _subject, token = invite(study)
    page = unscripted.new_page()
    page.goto(site + reverse("invitation", args=[token]))
    page.get_by_role("button", name="Open my invitation").click()
    for box in page.get_by_role("checkbox").all():
        box.check()
    page.get_by_role("button", name="Say yes to what I ticked").click()
    heading(page, "Your consent is recorded")
    page.get_by_role("link", name="Add a photograph").click()
    page.get_by_label("Photograph").set_input_files(PHOTO)
    page.get_by_role("button", name="Send the photograph").click()
    heading(page, "Recording")
    answered(study)
    page.get_by_role("link", name="See how far it is").click()
    page.get_by_role("link", name="Open the result").click()
    heading(page, "The expression looked happy")
    page.get_by_text("All 51 movements as a table").click()
    expect(page.get_by_role("rowheader", name="mouthSmileLeft")).to_be_visible()
    page.get_by_role("link", name="Who else looked").click()
    expect(page.get_by_text("A result about you was read").first).to_be_visible()
    page.get_by_role("link", name="My studies").click()
    page.get_by_role("link", name="Withdraw", exact=True).click()
    page.get_by_role("button", name="Withdraw my consent").click()
    drain()
    page.get_by_role("link", name="See how far it is").click()
    expect(page.get_by_text("Erased", exact=True)).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You are signed out.")).to_be_visible()


def test_a_passkey_brings_back_whoever_gave_no_address(site: str, context: BrowserContext) -> None:
    study = open_study()
    _subject, token = invite(study)
    person = Keyboard(context, site)
    page = person.page
    devtools = context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    page.goto(site + reverse("invitation", args=[token]))
    person.press("button", "Open my invitation")
    person.press("button", "No, I do not take part")
    heading(page, "You said no, and that is that")
    expect(page.get_by_text("the study has no e-mail address of yours")).to_be_visible()
    person.press("link", "Add a passkey")
    person.press("button", "Add a passkey")
    heading(page, "Your passkeys")
    person.press("button", "Sign out")
    person.press("link", "Sign in as a participant")
    person.press("button", "Sign in with a passkey")
    heading(page, "No study may measure your face")
    expect(page.get_by_text("How you come back")).to_have_count(0)
    integrate_once()
    assert LogEntry.objects.filter(action=Action.LOGIN_SUCCEED).count() == 1
    assert settings.SESSION_COOKIE_HTTPONLY
    person.press("button", "Sign out")
    Authenticator.objects.all().delete()
    for name, other in (("subject_sign_in", "Use a code"), ("account_login", "Use your password")):
        door = f"{site}{reverse(name)}?next={reverse('access_history')}"
        page.goto(door)
        person.press("button", "Sign in with a passkey")
        expect(page.locator(".message--error")).to_contain_text(other)
        expect(page).to_have_url(door)
    assert person.troubles == []
