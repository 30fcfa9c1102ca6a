"""The pages on which operators read the log, over HTTP."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.actors import SYSTEM_KEEPER
from accounts.models import Role
from audit_log.actions import Action, Outcome, ReasonCode
from audit_log.entries import Draft
from audit_log.log import append_durable
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from tests.cast import open_study, operator
from tests.counting import queries_of

pytestmark = pytest.mark.usefixtures("fresh_db")
ADDRESS = "operate_log"


def shown(browser: Client, **chosen: object) -> list[LogEntry]:
    integrate_once()
    page = browser.get(reverse(ADDRESS), chosen)
    assert page.status_code == 200
    rows: list[LogEntry] = page.context["page"].rows
    return rows


def test_entries_are_found_by_action_outcome_purpose_and_time() -> None:
    study = open_study()
    officer = study.officer.sign_in()
    append_durable(
        Draft(
            action=Action.RESULT_READ,
            actor=SYSTEM_KEEPER.log_name(),
            outcome=Outcome.REFUSED,
            reason=ReasonCode.NO_CONSENT,
        )
    )
    assert {row.action for row in shown(officer, action="purpose:open")} == {"purpose:open"}
    assert [row.reason for row in shown(officer, outcome="refused")] == ["no-consent"]
    assert [row.action for row in shown(officer, reason="no-consent")] == ["result:read"]
    of_purpose = shown(officer, purpose=str(study.purpose.id))
    assert {row.purpose_id for row in of_purpose} == {study.purpose.id}
    assert "purpose:create" in {row.action for row in of_purpose}
    tomorrow = (timezone.now() + timedelta(days=1)).date().isoformat()
    yesterday = (timezone.now() - timedelta(days=1)).date().isoformat()
    assert shown(officer, since=tomorrow) == []
    assert shown(officer, until=yesterday) == []
    assert shown(officer, since=yesterday, until=tomorrow)


def test_an_invalid_filter_finds_nothing_and_says_why() -> None:
    officer = operator(Role.DPO).sign_in()
    integrate_once()
    page = officer.get(reverse(ADDRESS), {"since": "someday"})
    assert page.status_code == 200
    assert page.context["page"].rows == []
    assert "since" in page.context["filter"].errors


def test_reading_the_log_is_an_entry() -> None:
    officer = operator(Role.DPO)
    browser = officer.sign_in()
    browser.get(reverse(ADDRESS))
    (entry,) = shown(browser, action="log:read")
    assert entry.actor == officer.actor.log_name()


def test_actors_are_named_and_people_stay_tags() -> None:
    officer = operator(Role.DPO)
    browser = officer.sign_in()
    tag = bytes(range(32))
    append_durable(Draft(action=Action.CONSENT_GIVE, actor=f"subject:{tag.hex()}", subject_tag=tag))
    integrate_once()
    body = browser.get(reverse(ADDRESS)).content.decode()
    assert officer.user.email in body
    assert tag.hex()[-8:] in body


def test_one_entry_comes_with_its_proof() -> None:
    browser = operator(Role.DPO).sign_in()
    entry = shown(browser)[-1]
    page = browser.get(reverse("operate_log_entry", args=[entry.entry_id]))
    body = page.content.decode()
    assert entry.leaf_hash.hex() in body
    assert "c2sp.org/tlog-proof@v1" in body
    missing = reverse("operate_log_entry", args=[uuid4()])
    assert browser.get(missing).status_code == 404


def test_strangers_sign_in_and_researchers_find_nothing() -> None:
    page = Client().get(reverse(ADDRESS))
    assert page.status_code == 302
    entry = shown(operator(Role.DPO).sign_in())[0]
    researcher = operator(Role.RESEARCHER).sign_in()
    detail = reverse("operate_log_entry", args=[entry.entry_id])
    assert researcher.get(reverse(ADDRESS)).status_code == 404
    assert researcher.get(detail).status_code == 404


def test_pages_go_on_by_index() -> None:
    browser = operator(Role.DPO).sign_in()
    for _count in range(60):
        append_durable(Draft(action=Action.LOG_START, actor="system:keeper"))
    integrate_once()
    first = browser.get(reverse(ADDRESS), {"action": "log:start"}).context["page"]
    assert len(first.rows) == 50
    second = browser.get(reverse(ADDRESS) + first.older).context["page"]
    assert [row.index for row in first.rows + second.rows] == sorted(
        (row.index for row in LogEntry.objects.filter(action="log:start")), reverse=True
    )
    assert browser.get(reverse(ADDRESS), {"before": "x"}).status_code == 404


def test_list_asks_as_often_for_thirty_entries_as_for_three() -> None:
    browser = operator(Role.DPO).sign_in()

    def add(number: int) -> None:
        for _count in range(number):
            study_like = uuid4()
            append_durable(
                Draft(
                    action=Action.RESULT_READ,
                    actor=f"operator:{uuid4()}",
                    purpose_id=study_like,
                )
            )
        integrate_once()

    add(3)
    few = queries_of(browser, reverse(ADDRESS))
    add(27)
    assert queries_of(browser, reverse(ADDRESS)) == few
