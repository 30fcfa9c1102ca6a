"""Pages on which an administrator lets people in and out, over HTTP."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Role, User
from audit_log.actions import Action
from audit_log.entries import parse
from audit_log.models import LogEntry, PendingEntry
from audit_log.sequencer import integrate_once
from tests.cast import operator, text_of
from tests.counting import queries_of


@pytest.fixture(autouse=True)
def whole_product(pages: None, settings: Any) -> None:
    """The addresses of the whole product, not those of this folder's other tests."""
    settings.ROOT_URLCONF = "config.urls"


def count(action: Action) -> int:
    return sum(parse(row.body).draft.action is action for row in PendingEntry.objects.all())


def signs_in(email: str, password: str) -> bool:
    page = Client().post(reverse("account_login"), {"login": email, "password": password})
    return page.status_code == 302


def shown_password(page: Any) -> str:
    found = re.search(r'id="new-password"[^>]*>([^<]+)<', page.content.decode())
    assert found, page.content.decode()
    assert "no-store" in page.headers["Cache-Control"]
    return found[1]


def test_new_operator_gets_a_password_that_works_and_is_shown_once() -> None:
    admin = operator(Role.ADMINISTRATOR).sign_in()
    page = admin.post(
        reverse("operate_operator_new"), {"email": "new@example.org", "role": "researcher"}
    )
    password = shown_password(page)
    made = User.objects.get(email="new@example.org")
    assert made.role == Role.RESEARCHER
    assert signs_in("new@example.org", password)
    assert password not in admin.get(reverse("operate_operators")).content.decode()
    assert password not in str(dict(admin.session))


def test_a_taken_address_is_told_on_the_form() -> None:
    first = operator(Role.ADMINISTRATOR)
    page = first.sign_in().post(
        reverse("operate_operator_new"), {"email": first.user.email, "role": "dpo"}
    )
    assert page.status_code == 422
    assert "Another operator has this address" in page.content.decode()


def test_nobody_makes_a_data_subject_here() -> None:
    page = (
        operator(Role.ADMINISTRATOR)
        .sign_in()
        .post(reverse("operate_operator_new"), {"email": "x@example.org", "role": "subject"})
    )
    assert page.status_code == 422
    assert not User.objects.filter(email="x@example.org").exists()


def test_account_is_closed_only_with_its_address_and_opens_again() -> None:
    admin = operator(Role.ADMINISTRATOR).sign_in()
    rita = operator(Role.RESEARCHER, "rita")
    hers = rita.sign_in()
    step = reverse("operate_operator_step", args=[rita.user.id, "deactivate"])
    page = admin.post(step, {"deactivate-address": "somebody@example.org"})
    assert page.status_code == 422
    assert hers.get(reverse("operate_home")).status_code == 200

    before = count(Action.OPERATOR_CHANGE)
    assert admin.post(step, {"deactivate-address": rita.user.email}).status_code == 302
    assert count(Action.OPERATOR_CHANGE) == before + 1
    assert hers.get(reverse("operate_home")).status_code == 302
    assert (
        not signs_in(rita.user.email, rita.password)
        or not User.objects.get(pk=rita.user.pk).is_active
    )

    again = reverse("operate_operator_step", args=[rita.user.id, "reactivate"])
    assert admin.post(again).status_code == 302
    assert User.objects.get(pk=rita.user.pk).is_active
    assert signs_in(rita.user.email, rita.password)


def test_the_log_says_whose_account_was_touched_and_how() -> None:
    boss = operator(Role.ADMINISTRATOR)
    desk = boss.sign_in()
    address = "rita-who-is-new@example.org"
    made = {"email": address, "role": "researcher"}
    assert desk.post(reverse("operate_operator_new"), made).status_code == 200
    rita = User.objects.get(email=address)
    for step in ("reset", "deactivate", "reactivate"):
        there = reverse("operate_operator_step", args=[rita.id, step])
        desk.post(there, {f"{step}-address": address})
    integrate_once()
    rows = LogEntry.objects.filter(
        action__in=[Action.OPERATOR_CREATE, Action.OPERATOR_CHANGE],
        actor=boss.actor.log_name(),
    ).order_by("index")
    about = {"operator": str(rita.id), "role": "researcher"}
    assert [row.detail() for row in rows] == [
        about | {"step": step} for step in ("create", "reset", "deactivate", "reactivate")
    ]
    assert address.encode() not in b"".join(bytes(row.body) for row in rows)
    for page in (
        desk.get(reverse("operate_log"), {"action": "operator:change"}),
        desk.get(reverse("operate_log_entry", args=[rows[1].entry_id])),
    ):
        assert address in text_of(page), "named where operators read it"
    assert "step: reset" in text_of(page)
    file = b"".join(desk.get(reverse("operate_log_file"), {"action": "operator:create"}))
    assert json.loads(file.splitlines()[0])["detail"]["operator"] == str(rita.id)


def test_the_last_administrator_stays() -> None:
    only = operator(Role.ADMINISTRATOR)
    step = reverse("operate_operator_step", args=[only.user.id, "deactivate"])
    page = only.sign_in().post(step, {"deactivate-address": only.user.email})
    assert page.status_code == 422
    assert User.objects.get(pk=only.user.pk).is_active


def test_new_password_ends_the_old_one_and_the_second_factor() -> None:
    admin = operator(Role.ADMINISTRATOR).sign_in()
    rita = operator(Role.RESEARCHER, "rita")
    hers = rita.sign_in()
    step = reverse("operate_operator_step", args=[rita.user.id, "reset"])
    password = shown_password(admin.post(step, {"reset-address": rita.user.email}))
    assert not signs_in(rita.user.email, rita.password)
    assert signs_in(rita.user.email, password)
    assert hers.get(reverse("operate_home")).status_code == 302
    page = admin.get(reverse("operate_operator", args=[rita.user.id]))
    assert page.context["operator"].second_factor is False


def test_list_asks_as_often_for_thirty_rows_as_for_three() -> None:
    admin = operator(Role.ADMINISTRATOR).sign_in()
    address = reverse("operate_operators")

    def add(first: int, last: int) -> None:
        for number in range(first, last):
            User.objects.create(email=f"p{number}@example.org", role=Role.RESEARCHER)

    add(0, 3)
    few = queries_of(admin, address)
    add(3, 30)
    assert queries_of(admin, address) == few
