"""The operators' pages in a real browser: readable by everybody, on a phone and in the dark."""

from __future__ import annotations

import re
from uuid import UUID

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page, expect

from accounts.models import ApiClient, Role
from accounts.second_factor import code_now
from audit_log.sequencer import integrate_once
from consent.errors import ProhibitedPurpose
from consent.invitations import send_invitation
from consent.models import ExceptionReason, OutboxMessage, RequestKind, Sector, Telling
from consent.paper import SignedPaper, attest_paper
from consent.purposes import submit_for_review
from consent.request_answers import take
from consent.requests import make_request
from consent.scans import Scan
from consent.subjects import register_subject
from consent.webhooks import create_webhook
from consent.withdrawals import withdraw
from emotion.disputes import dispute
from emotion.models import Analysis
from tests.browser.looking import Looker, Shown, keep_picture
from tests.cast import (
    CHILDREN,
    PHOTO,
    Operator,
    Study,
    come_in,
    consent,
    draft,
    invite,
    open_study,
    operator,
    upload,
)

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("fresh_db")]


def sign_in(page: Page, site: str, who: Operator) -> None:
    page.goto(site + reverse("account_login"))
    page.fill("[name=login]", who.user.email)
    page.fill("[name=password]", who.password)
    page.click("main form button")
    page.fill("[name=code]", code_now(who.app_secret))
    page.click("main form button")
    page.wait_for_url("**/operate/**")


def attested(study: Study, reference: str) -> UUID:
    """Somebody whose consent on paper was entered by another operator."""
    subject, _token = invite(study, reference)
    other, scan = operator(Role.RESEARCHER), Scan("application/pdf", b"%PDF-1.4")
    notice = study.purpose.notices.get()
    paper = SignedPaper(notice, ["media"], timezone.localdate(), scan)
    attest_paper(other.actor, other.user, subject, study.purpose, paper)
    return subject.id


def addresses(study: Study) -> list[str]:
    """Pages of an administrator that have more to show than those of the table of roles."""
    person = come_in(study)
    consent(person, study.purpose, age="alone")
    upload(study.key(), "P-001", study.purpose.id, PHOTO.read_bytes())
    analysis = Analysis.objects.get()
    actor = study.administrator.actor
    ann = register_subject(actor, study.purpose, reference="P-2", email="ann@example.net")
    send_invitation(actor, ann, study.purpose)
    both_signed = [study.purpose.id, attested(study, "P-3")]
    unsigned = [study.purpose.id, invite(study, "P-4")[0].id]
    dispute(person.actor, analysis.recording_id)
    asked = make_request(
        person.actor, person.subject, kind=RequestKind.ERASURE, purpose=study.purpose, text="Why?"
    )
    take(actor, study.administrator.user, asked.id)
    leaver = come_in(study, "P-5")
    consent(leaver, study.purpose, age="alone")
    client = ApiClient.objects.get()
    create_webhook(actor, client, f"https://lab.example.org/{'long/' * 12}")
    withdraw(leaver.actor, leaver.subject, study.purpose)
    Telling.objects.erasures().update(given_up_at=timezone.now(), last_status=503)
    study.key()
    without = ApiClient.objects.latest("id")
    integrate_once()
    purpose, both = [study.purpose.id], [study.purpose.id, person.subject.id]
    plain = ["home", "people", "outbox", "recordings", "clients", "log", "health"]
    plain += ["requests", "register", "find"]
    made = draft(
        name="Student smiles",
        sector=Sector.EDUCATION,
        exception=ExceptionReason.MEDICAL,
        recipients="The clinic\nThe school's doctor",
    )
    with pytest.raises(ProhibitedPurpose):
        draft(name="Candidate check", sector=Sector.RECRUITMENT)
    begun = [made.purpose.id]
    return [reverse(f"operate_{name}") for name in plain] + [
        reverse(f"operate_{name}", args=args)
        for name, args in [
            ("purpose", purpose),
            ("purpose_edit", begun),
            ("purpose_submit", begun),
            ("reason", begun),
            ("person", both),
            ("paper", unsigned),
            ("address", unsigned),
            ("person", both_signed),
            ("message", [OutboxMessage.objects.get().id]),
            ("request", [asked.id]),
            ("request_extend", [asked.id]),
            ("request_answer", [asked.id]),
            ("webhook", [client.id]),
            ("webhook", [without.id]),
            ("client", [client.id]),
        ]
    ]


def named(address: str) -> str:
    """What the picture of a page is called: its address without the ids."""
    return re.sub(r"/[0-9a-f-]{36}(?=/)", "", address).strip("/").replace("/", "-")


def troubles(looker: Looker, pages: list[str]) -> list[str]:
    """What is wrong with these pages."""
    for address in pages:
        looker.look(Shown(named(address), address))
    return looker.troubles


def test_operator_pages_have_no_barrier_and_fit_a_phone(site: str, context: BrowserContext) -> None:
    study = open_study(paper_allowed=True, **CHILDREN)
    pages, looker = addresses(study), Looker(context, site)
    sign_in(looker.page, site, study.administrator)
    assert troubles(looker, pages) == []


def test_the_officers_pages_have_no_barrier_and_fit_a_phone(
    site: str, context: BrowserContext
) -> None:
    made = draft(name="Student smiles", recipients="The school's doctor")
    made.assess()
    submit_for_review(made.administrator.actor, made.purpose.id)
    looker = Looker(context, site)
    sign_in(looker.page, site, made.officer)
    names = ["operate_purpose", "operate_purpose_open", "operate_purpose_send_back"]
    names += ["operate_assessment"]
    pages = [reverse(name, args=[made.purpose.id]) for name in names]
    assert troubles(looker, pages) == []


def test_every_clock_time_says_its_zone(site: str, context: BrowserContext) -> None:
    study = open_study()
    integrate_once()
    assert context.browser is not None
    abroad = context.browser.new_context(timezone_id="Asia/Kolkata", locale="en-GB")
    page = abroad.new_page()
    page.set_viewport_size({"width": 360, "height": 800})
    sign_in(page, site, study.officer)
    page.goto(site + reverse("operate_log"))
    times = page.locator("td[data-label=Time] time")
    assert times.count() > 3
    for text in times.all_inner_texts():
        assert re.fullmatch(r"\d+ \w+ \d{4},? \d\d:\d\d:\d\d (GMT\+5:30|IST)", text), text
    for each in times.all():
        assert str(each.get_attribute("title")).endswith(" UTC")
    keep_picture(page, "log-in-another-zone")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    abroad.close()


def test_the_log_shows_all_its_columns(site: str, context: BrowserContext) -> None:
    study = open_study()
    consent(come_in(study), study.purpose)
    integrate_once()
    page = context.new_page()
    page.set_viewport_size({"width": 1280, "height": 900})
    sign_in(page, site, study.officer)
    page.goto(site + reverse("operate_log"))
    box = page.locator(".table-box")
    assert box.evaluate("box => box.scrollWidth - box.clientWidth") == 0
    keep_picture(page, "log-all-columns")


CUT_OFF = """() => [...document.querySelectorAll(".figures--states li")].filter(
    li => li.scrollWidth > li.clientWidth).map(li => li.innerText)"""


def test_no_word_of_a_state_is_cut_off(site: str, context: BrowserContext) -> None:
    page = context.new_page()
    sign_in(page, site, open_study().administrator)
    for width in (320, 360, 480, 720, 960, 1280, 1920):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(site + reverse("operate_home"))
        assert page.locator(".figures--states li").count() >= 8
        assert page.evaluate(CUT_OFF) == [], width


def test_many_are_invited_by_keyboard_and_nobody_is_named(
    site: str, context: BrowserContext
) -> None:
    study = open_study()
    looker = Looker(context, site)
    page = looker.page
    sign_in(page, site, study.administrator)
    page.goto(site + reverse("operate_invite_many", args=[study.purpose.id]))
    page.get_by_label("The people").fill("P-1; one@example.org\nP-2; two@example")
    looker.expected = 422
    page.get_by_role("button", name="Check the list").press("Enter")
    expect(page.get_by_text("1 line is wrong.")).to_be_visible()
    looker.look_around(Shown("invite-many-wrong", ""))
    page.get_by_label("The people").fill("P-1; one@example.org\nP-2")
    page.get_by_role("button", name="Check again").press("Enter")
    table = page.get_by_role("table")
    expect(table).to_contain_text("The person is written to.")
    assert not {"P-1", "one@example.org"} & set(table.inner_text().split())
    looker.look_around(Shown("invite-many-review", ""))
    page.get_by_role("button", name="Invite 2 people").press("Enter")
    expect(page.get_by_text("1 invitation is in the outbox.")).to_be_visible()
    assert looker.troubles == []


def test_card_can_be_made_without_scripting(site: str, unscripted: BrowserContext) -> None:
    study = open_study()
    page = unscripted.new_page()
    sign_in(page, site, study.administrator)
    page.goto(site + reverse("operate_invite", args=[study.purpose.id]))
    page.fill("[name=reference]", "P-1")
    page.click("main form.form button.button")
    box = page.locator(".qr svg").bounding_box()
    assert box is not None
    assert box["width"] > 150
    assert box["height"] > 150
    assert "/invitation/" in page.locator("#invitation-link").inner_text()
