"""Passkeys in a real Chromium, whose DevTools provide the authenticator (WebAuthn.enable)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client, RequestFactory
from playwright.sync_api import BrowserContext, Page, expect

from accounts.actors import SYSTEM_SETUP
from accounts.models import Role, User
from accounts.operators import create_operator
from accounts.sign_ins import sign_in_subject
from consent.models import DataSubject
from tests.accounts.conftest import PASSWORD, actions
from vault.tags import tagger

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
def pages(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.accounts.urls"


def add_authenticator(page: Page) -> None:
    """A device with its own storage for passkeys and a finger print that always fits."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def strict_page(context: BrowserContext) -> tuple[Page, list[str]]:
    """A page, and what its console says against the content security policy or in error."""
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    return page, faults


def test_operator_sets_up_a_passkey_and_signs_in_with_it_alone(
    site: str, context: BrowserContext
) -> None:
    user = create_operator(SYSTEM_SETUP, email="dora@example.org", role=Role.DPO, password=PASSWORD)
    page, faults = strict_page(context)
    add_authenticator(page)
    page.goto(f"{site}/account/login/")
    page.get_by_label("E-mail address").fill(user.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page).to_have_url(f"{site}/account/2fa/")
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_label("Name of this passkey").fill("Laptop")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    assert Authenticator.objects.filter(user=user, type="webauthn").count() == 1
    assert actions()[-1] == ("login:authenticator-change", "ok", f"operator:{user.id}")

    context.clear_cookies()
    page.goto(f"{site}/account/login/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page).to_have_url(f"{site}/home/")
    expect(page.get_by_text("home of operator")).to_be_visible()
    assert actions()[-1] == ("login:succeed", "ok", f"operator:{user.id}")

    # And as the second factor after a password.
    context.clear_cookies()
    page.goto(f"{site}/account/login/")
    page.get_by_label("E-mail address").fill(user.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("button", name="Use a passkey").click()
    expect(page).to_have_url(f"{site}/home/")
    assert faults == []


def cookie_of(user: User) -> str:
    """The session of a data subject who has just entered an e-mailed code."""
    request = RequestFactory().get("/")
    request.session = Client().session
    sign_in_subject(request, user)
    request.session.save()
    return str(request.session.session_key)


def test_data_subject_adds_a_passkey_and_signs_in_with_it(
    site: str, context: BrowserContext, settings: Any
) -> None:
    user = User.objects.create_subject()
    subject = DataSubject.objects.create(user=user)
    tag = tagger(subject.id, None).subject().hex()
    name = settings.SESSION_COOKIE_NAME
    context.add_cookies([{"name": name, "value": cookie_of(user), "url": site}])
    page, faults = strict_page(context)
    add_authenticator(page)
    page.goto(f"{site}/account/2fa/webauthn/add/")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_role("heading", name="Your passkeys")).to_be_visible()
    kept = Authenticator.objects.get()
    assert (kept.user_id, kept.type) == (user.id, "webauthn")
    assert actions()[-1] == ("login:authenticator-change", "ok", f"subject:{tag}")

    context.clear_cookies()
    page.goto(f"{site}/account/login/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_text("home of subject")).to_be_visible()
    assert actions()[-1] == ("login:succeed", "ok", f"subject:{tag}")
    assert faults == []


def test_a_numeric_address_is_explained(site: str, context: BrowserContext) -> None:
    port = site.rsplit(":", 1)[1]
    page, _faults = strict_page(context)
    page.goto(f"http://127.0.0.1:{port}/account/login/")
    expect(page.get_by_role("link", name=f"http://localhost:{port}")).to_be_visible()
    expect(page.get_by_role("button", name="Sign in with a passkey")).to_be_disabled()
    page.get_by_role("link", name=f"http://localhost:{port}").click()
    expect(page).to_have_url(re.compile(r"//localhost:\d+/account/login/"))
    expect(page.get_by_role("button", name="Sign in with a passkey")).to_be_enabled()


def test_a_passkey_that_is_not_there_changes_nothing(site: str, context: BrowserContext) -> None:
    page, _faults = strict_page(context)
    add_authenticator(page)
    page.goto(f"{site}/account/login/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("alert").filter(has_text="Nothing has changed")).to_be_visible()
    expect(page).to_have_url(f"{site}/account/login/")
