"""Sessions: nobody who reads the table can use one, and each ends a set time after the sign-in."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import time_machine
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from accounts.models import User
from accounts.sessions import forget_ended, row_key
from tests.accounts.conftest import sign_in
from tests.accounts.test_passkeys import of_a_subject

TWELVE_HOURS = timedelta(seconds=settings.SESSION_COOKIE_AGE)


def inside(browser: Client) -> bool:
    return b"home of anonymous" not in browser.get("/home/").content


def key_of(browser: Client) -> str:
    return browser.cookies[settings.SESSION_COOKIE_NAME].value


def with_key(key: str) -> Client:
    browser = Client()
    browser.cookies[settings.SESSION_COOKIE_NAME] = key
    return browser


def test_the_table_holds_nothing_that_opens_a_session(client: Client, dpo: User) -> None:
    sign_in(client, dpo)
    (row,) = Session.objects.all()
    assert row.session_key == row_key(key_of(client))
    assert key_of(client) not in f"{row.session_key} {row.session_data} {row.get_decoded()}"
    assert inside(with_key(key_of(client)))
    assert not inside(with_key(row.session_key))


def test_signing_out_and_a_new_key_leave_no_row(client: Client, dpo: User) -> None:
    client.get("/account/login/")
    sign_in(client, dpo)
    before = key_of(client)
    session = client.session
    session.cycle_key()
    client.cookies[settings.SESSION_COOKIE_NAME] = str(session.session_key)
    assert inside(client)
    assert not inside(with_key(before))
    assert Session.objects.count() == 1
    client.post("/account/logout/")
    assert not Session.objects.filter(session_key=row_key(session.session_key)).exists()


def use(browser: Client, at: datetime) -> None:
    """Something that is kept in the session and so saves it."""
    session = browser.session
    session["used"] = at.isoformat()
    session.save()


@pytest.mark.parametrize("who", ["operator", "subject"])
def test_a_session_ends_twelve_hours_after_the_sign_in_however_it_is_used(
    who: str, client: Client, dpo: User
) -> None:
    began = timezone.now()
    if who == "operator":
        sign_in(client, dpo)
    else:
        _user, client = of_a_subject()
    for hours in range(1, 12):
        with time_machine.travel(began + timedelta(hours=hours), tick=False):
            assert inside(client), f"after {hours} hours"
            use(client, timezone.now())
    with time_machine.travel(began + TWELVE_HOURS - timedelta(minutes=1), tick=False):
        assert inside(client)
    with time_machine.travel(began + TWELVE_HOURS + timedelta(minutes=1), tick=False):
        assert not inside(client)


def test_the_hours_count_from_the_sign_in_and_not_from_the_page_before(
    client: Client, dpo: User
) -> None:
    client.get("/account/login/")
    began = timezone.now()
    use(client, began)
    signed_in = began + timedelta(hours=11)
    with time_machine.travel(signed_in, tick=False):
        sign_in(client, dpo)
    with time_machine.travel(signed_in + TWELVE_HOURS - timedelta(minutes=1), tick=False):
        assert inside(client)


def test_what_has_ended_is_forgotten(client: Client, dpo: User) -> None:
    sign_in(client, dpo)
    assert forget_ended() == 0
    with time_machine.travel(timezone.now() + TWELVE_HOURS + timedelta(minutes=1), tick=False):
        assert forget_ended() == 1
    assert not Session.objects.exists()
