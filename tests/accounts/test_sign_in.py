"""Signing in as an operator, over HTTP, with a real second factor."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from bs4 import BeautifulSoup
from django.db import connections
from django.test import Client
from django.utils import timezone

from accounts import attempts
from accounts.actors import SYSTEM_SETUP
from accounts.models import FailedLogin, User
from accounts.operators import deactivate_operator, reset_sign_in
from accounts.second_factor import app_secret, code_now, enrol_app
from tests.accounts.conftest import PASSWORD, actions, code_step, entries, password_step, sign_in


def signed_in(client: Client) -> bool:
    return b"home of anonymous" not in client.get("/home/").content


def test_password_alone_opens_nothing(client: Client, dpo: User) -> None:
    enrol_app(dpo)
    password_step(client, dpo.email)
    assert not signed_in(client)


def test_password_and_code_open_the_session(client: Client, dpo: User) -> None:
    sign_in(client, dpo)
    assert signed_in(client)
    assert client.get("/purposes/open/").content == b"for the DPO"
    assert actions()[-1] == ("login:succeed", "ok", f"operator:{dpo.id}")


def test_the_address_is_not_case_sensitive(client: Client, dpo: User) -> None:
    enrol_app(dpo)
    assert password_step(client, "DORA@Example.org").status_code == 302


def test_wrong_code_is_refused_and_logged_under_the_operator(client: Client, dpo: User) -> None:
    secret = enrol_app(dpo)
    password_step(client, dpo.email)
    wrong = f"{(int(code_now(secret)) + 1) % 10**6:06d}"
    assert code_step(client, wrong).status_code == 200
    assert not signed_in(client)
    assert actions()[-1] == ("login:fail", "refused", f"operator:{dpo.id}")


def test_a_code_works_once(client: Client, dpo: User) -> None:
    secret = enrol_app(dpo)
    now = timezone.now()
    with time_machine.travel(now, tick=False):
        code = code_now(secret)
        password_step(client, dpo.email)
        assert code_step(client, code).status_code == 302
    # One period later the app shows another code, but the old one would still be in tolerance.
    with time_machine.travel(now + timedelta(seconds=31), tick=False):
        again = Client()
        password_step(again, dpo.email)
        assert code_step(again, code).status_code == 200
        assert not signed_in(again)


def test_a_recovery_code_works_once(client: Client, dpo: User) -> None:
    enrol_app(dpo)
    codes = Authenticator.objects.get(user=dpo, type="recovery_codes").wrap().get_unused_codes()
    for attempt, expected in ((Client(), True), (Client(), False)):
        password_step(attempt, dpo.email)
        code_step(attempt, codes[0])
        assert signed_in(attempt) is expected


def test_operator_without_second_factor_is_kept_in_the_set_up(client: Client, dpo: User) -> None:
    assert password_step(client, dpo.email).status_code == 302
    for page in ("/home/", "/purposes/open/", "/account/2fa/webauthn/"):
        assert client.get(page)["Location"] == "/account/2fa/"
        assert client.post(page)["Location"] == "/account/2fa/"
    assert client.get("/account/2fa/").status_code == 200


def test_set_up_of_an_app_opens_the_rest(client: Client, dpo: User) -> None:
    password_step(client, dpo.email)
    page = BeautifulSoup(client.get("/account/2fa/totp/activate/").content, "html.parser")
    secret = page.find(id="app_secret").get_text()
    assert page.find("img")["src"].startswith("data:image/svg+xml;base64,")
    answer = client.post("/account/2fa/totp/activate/", {"code": code_now(secret)})
    assert answer["Location"] == "/account/2fa/recovery-codes/"
    assert app_secret(dpo) == secret
    assert actions()[-1][0] == "login:authenticator-change"
    shown = BeautifulSoup(client.get(answer["Location"]).content, "html.parser")
    assert len(shown.find(id="recovery_codes").get_text().split()) == 10
    # Shown once.
    assert BeautifulSoup(client.get(answer["Location"]).content, "html.parser").pre is None
    assert client.get("/purposes/open/").content == b"for the DPO"


def test_wrong_code_does_not_set_up_an_app(client: Client, dpo: User) -> None:
    password_step(client, dpo.email)
    page = BeautifulSoup(client.get("/account/2fa/totp/activate/").content, "html.parser")
    wrong = f"{(int(code_now(page.find(id='app_secret').get_text())) + 1) % 10**6:06d}"
    assert client.post("/account/2fa/totp/activate/", {"code": wrong}).status_code == 200
    assert not Authenticator.objects.exists()


def everything_in(alias: str) -> bytes:
    """All that a database holds, as bytes."""
    if connections[alias].vendor != "sqlite":
        pytest.skip("reads the database file")
    connections[alias].close()
    source = sqlite3.connect(connections[alias].settings_dict["NAME"])
    try:
        return source.serialize()
    finally:
        source.close()


def test_secret_of_the_app_is_nowhere_in_plain(client: Client, dpo: User) -> None:
    password_step(client, dpo.email)
    page = BeautifulSoup(client.get("/account/2fa/totp/activate/").content, "html.parser")
    secret = page.find(id="app_secret").get_text()
    # While it waits for the first code it is in the session, sealed.
    values = [str(value) for value in dict(client.session).values()]
    assert values
    assert not any(secret in value for value in values)
    client.post("/account/2fa/totp/activate/", {"code": code_now(secret)})
    assert app_secret(dpo) == secret
    assert dpo.email.encode() in everything_in("default")
    assert secret.encode() not in everything_in("default")
    assert secret.encode() not in everything_in("keystore")


def test_five_failures_lock_the_account_for_15_minutes(client: Client, dpo: User) -> None:
    enrol_app(dpo)
    now = timezone.now()
    with time_machine.travel(now, tick=False):
        for _ in range(5):
            assert password_step(client, dpo.email, "wrong").status_code == 200
        # The right password does not help any more, from anywhere.
        assert password_step(Client(REMOTE_ADDR="192.0.2.7"), dpo.email).status_code == 200
        assert entries()[-1]["reason"] == "too-many-attempts"
    with time_machine.travel(now + timedelta(minutes=14, seconds=59), tick=False):
        assert password_step(client, dpo.email).status_code == 200
    with time_machine.travel(now + timedelta(minutes=15, seconds=1), tick=False):
        assert password_step(client, dpo.email).status_code == 302


def test_wrong_codes_count_like_wrong_passwords(client: Client, dpo: User) -> None:
    secret = enrol_app(dpo)
    password_step(client, dpo.email)
    for _ in range(5):
        code_step(client, "000000" if code_now(secret) != "000000" else "111111")
    code_step(client, code_now(secret))
    assert not signed_in(client)
    assert entries()[-1]["reason"] == "too-many-attempts"


def test_fifty_failures_lock_the_network_address(client: Client, dpo: User) -> None:
    enrol_app(dpo)
    now = timezone.now()
    for number in range(50):
        # Slower than the 30 requests a minute that are taken from one address at all.
        with time_machine.travel(now + timedelta(seconds=3 * number), tick=False):
            assert password_step(client, f"x{number // 4}@example.org", "wrong").status_code == 200
    with time_machine.travel(now + timedelta(minutes=4), tick=False):
        assert password_step(client, dpo.email).status_code == 200
        assert entries()[-1]["reason"] == "too-many-attempts"
        assert password_step(Client(REMOTE_ADDR="192.0.2.7"), dpo.email).status_code == 302


def refusals() -> list[str]:
    return [entry["reason"] for entry in entries() if entry["outcome"] == "refused"]


def test_what_is_refused_beyond_the_limit_fills_no_log(client: Client, dpo: User) -> None:
    """One entry says that the limit was reached, again when it was reached anew."""
    secret, now = enrol_app(dpo), timezone.now()
    once = ["bad-credentials"] * 5 + ["too-many-attempts"]
    with time_machine.travel(now, tick=False):
        for _ in range(15):
            assert password_step(client, "victim@example.org", "wrong").status_code == 200
        assert refusals() == once
        pending = Client(REMOTE_ADDR="192.0.2.7")
        password_step(pending, dpo.email)
        for _ in range(15):
            code_step(pending, "000000" if code_now(secret) != "000000" else "111111")
        assert refusals() == once * 2
    with time_machine.travel(now + timedelta(minutes=15, seconds=1), tick=False):
        for _ in range(15):
            password_step(client, "victim@example.org", "wrong")
        assert refusals() == once * 3


@pytest.mark.parametrize(
    ("sender", "home"),
    [("2001:db8:0:7::{:x}", "2001:db8:0:7::1"), ("::ffff:192.0.2.7", "192.0.2.7")],
)
def test_one_connection_fills_no_log_from_many_addresses(
    dpo: User, sender: str, home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has one address of IPv6 has 2 to the power of 64."""
    monkeypatch.setattr(attempts, "ADDRESS_LIMIT", 3)
    for number in range(5):
        browser = Client(REMOTE_ADDR=sender.format(number + 1))
        password_step(browser, f"nobody-{number}@example.org", "wrong")
    assert refusals() == ["bad-credentials"] * 3 + ["too-many-attempts"]
    password_step(Client(REMOTE_ADDR=home), "somebody@example.org", "wrong")
    assert len(refusals()) == 4, "they are one"
    password_step(Client(REMOTE_ADDR="2001:db8:0:8::1"), "somebody@example.org", "wrong")
    assert refusals()[4:] == ["bad-credentials"], "and the neighbour is another"


def answer_text(answer: Any) -> str:
    page = BeautifulSoup(answer.content, "html.parser")
    return page.find(class_="error-summary").get_text(" ", strip=True)


def test_the_answer_is_the_same_whether_the_account_exists(client: Client, dpo: User) -> None:
    known = [answer_text(password_step(client, dpo.email, "wrong")) for _ in range(6)]
    unknown = [answer_text(password_step(client, "x@example.org", "wrong")) for _ in range(6)]
    assert known == unknown
    assert known[0] != known[5]  # the sixth says that it is locked


def test_failures_are_counted_without_the_address(client: Client, dpo: User) -> None:
    password_step(client, "somebody@example.org", "wrong")
    assert FailedLogin.objects.count() == 2
    held = everything_in("default")
    assert b"somebody@example.org" not in held
    assert b"127.0.0.1" not in held
    assert actions()[-1] == ("login:fail", "refused", "anonymous")


def test_success_takes_its_own_attempt_back(client: Client, dpo: User) -> None:
    sign_in(client, dpo)
    assert FailedLogin.objects.count() == 0


def test_sign_out_is_logged_and_ends_the_session(client: Client, dpo: User) -> None:
    sign_in(client, dpo)
    assert client.get("/account/logout/").status_code == 200
    assert signed_in(client)
    client.post("/account/logout/")
    assert not signed_in(client)
    assert actions()[-1] == ("login:end", "ok", f"operator:{dpo.id}")


def test_a_closed_account_is_out_at_once(client: Client, dpo: User) -> None:
    sign_in(client, dpo)
    deactivate_operator(SYSTEM_SETUP, dpo.id)
    assert not signed_in(client)
    again = Client()
    assert password_step(again, dpo.email)["Location"] == "/account/inactive/"
    assert not signed_in(again)
    assert entries()[-1]["reason"] == "not-permitted"


def test_reset_ends_sessions_and_second_factors(client: Client, dpo: User) -> None:
    sign_in(client, dpo)
    password = reset_sign_in(SYSTEM_SETUP, dpo.id)
    assert not signed_in(client)
    again = Client()
    assert password_step(again, dpo.email).status_code == 200
    assert password_step(again, dpo.email, password).status_code == 302
    assert again.get("/home/")["Location"] == "/account/2fa/"


def test_new_password_of_ones_own_is_logged(client: Client, dpo: User) -> None:
    sign_in(client, dpo)
    new = "another long sentence"
    answer = client.post(
        "/account/password/change/",
        {"oldpassword": PASSWORD, "password1": new, "password2": new},
    )
    assert answer.status_code == 302
    assert actions()[-1] == ("login:authenticator-change", "ok", f"operator:{dpo.id}")
    dpo.refresh_from_db()
    assert dpo.check_password(new)
    assert dpo.password.startswith("argon2$")


def test_password_reset_says_so_when_no_mail_is_sent(client: Client, dpo: User) -> None:
    answer = client.post("/account/password/reset/", {"email": dpo.email})
    assert "sends no e-mail" in answer_text(answer)


def test_password_reset_by_mail(client: Client, dpo: User, settings: Any, mailoutbox: Any) -> None:
    settings.EMAIL_URL = "smtp://somewhere"
    for _ in range(2):
        answer = client.post("/account/password/reset/", {"email": dpo.email})
        assert answer["Location"] == "/account/password/reset/done/"
        client.post("/account/password/reset/", {"email": "nobody@example.org"})
    assert len(mailoutbox) == 1  # one a minute, and nothing to strangers
    link = next(word for word in mailoutbox[0].body.split() if "/account/" in word)
    page = client.get(link.removeprefix("http://testserver"))
    new = "another long sentence"
    client.post(page["Location"], {"password1": new, "password2": new})
    dpo.refresh_from_db()
    assert dpo.check_password(new)
    assert not signed_in(client)
    assert actions()[-1][0] == "login:authenticator-change"


def test_removing_the_app_leaves_only_the_set_up(client: Client, dpo: User) -> None:
    sign_in(client, dpo)
    assert client.post("/account/2fa/totp/deactivate/").status_code == 302
    assert client.get("/home/")["Location"] == "/account/2fa/"
    assert actions()[-1][0] == "login:authenticator-change"


def test_later_changes_ask_again_who_it_is(client: Client, dpo: User) -> None:
    sign_in(client, dpo)
    with time_machine.travel(timezone.now() + timedelta(minutes=6), tick=False):
        answer = client.post("/account/2fa/totp/deactivate/")
        assert answer["Location"].startswith("/account/reauthenticate/")
        assert Authenticator.objects.filter(user=dpo, type="totp").exists()
        client.post(answer["Location"], {"password": PASSWORD})
        client.post("/account/2fa/totp/deactivate/")
        assert not Authenticator.objects.filter(user=dpo, type="totp").exists()


@pytest.mark.parametrize(
    "page", ["signup/", "email/", "password/set/", "confirm-email/", "login/code/confirm/"]
)
def test_pages_that_do_not_exist(client: Client, page: str) -> None:
    assert client.get(f"/account/{page}").status_code == 404
    assert client.post(f"/account/{page}").status_code == 404


def test_no_page_has_an_inline_script(client: Client, dpo: User) -> None:
    seen = [client.get("/account/login/")]
    sign_in(client, dpo)
    for page in ("", "webauthn/", "webauthn/add/", "totp/deactivate/", "recovery-codes/generate/"):
        seen.append(client.get(f"/account/2fa/{page}"))
    for answer in seen:
        assert answer.status_code == 200
        assert "unsafe" not in answer["Content-Security-Policy"]
        page = BeautifulSoup(answer.content, "html.parser")
        for script in page.find_all("script"):
            assert script.get("src") or script["type"] == "application/json"
        for field in page.find_all("input"):
            visible = field.get("type") not in ("hidden", None) or field.get("type") is None
            if visible and not field.has_attr("hidden"):
                assert page.find("label", attrs={"for": field.get("id")}), field
