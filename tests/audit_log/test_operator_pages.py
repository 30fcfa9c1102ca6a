"""The pages on which operators read the log, over HTTP."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from uuid import uuid4

import pytest
import time_machine
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.actors import SYSTEM_KEEPER
from accounts.models import Role
from audit_log import log_filter, operator_views, verdicts
from audit_log.actions import Action, Outcome, ReasonCode
from audit_log.entries import Draft
from audit_log.log import append_durable
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from audit_log.verification import Verdict
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


def test_entries_are_found_by_actor() -> None:
    officer = operator(Role.DPO)
    browser = officer.sign_in()
    name = officer.actor.log_name()
    append_durable(Draft(action=Action.LOG_START, actor=SYSTEM_KEEPER.log_name()))
    assert {row.actor for row in shown(browser, actor=name)} == {name}
    assert [row.action for row in shown(browser, actor="system:keeper")] == ["log:start"]
    body = browser.get(reverse(ADDRESS), {"actor": name}).content.decode()
    assert body.count(officer.user.email) > 2, "named in the filter, too"
    page = browser.get(reverse(ADDRESS), {"actor": "bob"})
    assert page.context["filter"].errors["actor"].as_data()[0].code == "actor"
    assert page.context["page"].rows == []


def test_the_order_is_that_of_time_and_pages_lose_nothing() -> None:
    browser = operator(Role.DPO).sign_in()
    moment = timezone.now() - timedelta(days=1)
    hours = [0, 5, 5, 5, 2, 9, 1, 1, 1, 1]  # integrated late, and several at once
    for number in range(60):
        with time_machine.travel(moment + timedelta(hours=hours[number % 10]), tick=False):
            append_durable(Draft(action=Action.LOG_START, actor="system:keeper"))
            integrate_once()
    expected = sorted(
        LogEntry.objects.filter(action="log:start"), key=lambda row: (row.time, row.index)
    )[::-1]
    assert [row.index for row in expected] != sorted((r.index for r in expected), reverse=True)
    address, found = f"{reverse(ADDRESS)}?action=log:start", []
    while address:
        page = browser.get(address).context["page"]
        found += page.rows
        address = reverse(ADDRESS) + page.older if page.older else ""
    assert found == expected
    assert browser.get(reverse(ADDRESS), {"before": "999999"}).status_code == 404


def lines_of(browser: Client, **chosen: object) -> list[dict[str, object]]:
    page = browser.get(reverse("operate_log_file"), chosen)
    assert page.status_code == 200
    assert page["Content-Disposition"] == 'attachment; filename="access-log.jsonl"'
    return [json.loads(line) for line in page.getvalue().decode().splitlines()]


def test_a_download_has_what_the_list_shows_and_is_an_entry() -> None:
    officer = operator(Role.DPO)
    browser = officer.sign_in()
    tag = bytes(range(32))
    append_durable(
        Draft(
            action=Action.RESULT_READ,
            actor="system:worker",
            outcome=Outcome.REFUSED,
            reason=ReasonCode.NO_CONSENT,
            subject_tag=tag,
            object_tag=tag,
            detail=b'{"keys":["a","b"]}',
        )
    )
    (listed,) = shown(browser, actor="system:worker")
    line, last = lines_of(browser, actor="system:worker")
    assert line == {
        "index": listed.index,
        "id": str(listed.entry_id),
        "time": listed.time.isoformat(),
        "actor": "system:worker",
        "action": "result:read",
        "about": tag.hex()[-8:],
        "detail": {"keys": ["a", "b"]},
        "outcome": "refused",
        "reason": "no-consent",
        "purpose": "",
    }
    assert last == {"entries": 1, "complete": True}
    (entry,) = shown(browser, action="log:export")
    assert entry.actor == officer.actor.log_name()
    # What cannot be looked for is not taken away either.
    page = browser.get(reverse("operate_log_file"), {"since": "someday"})
    assert page.headers["Location"] == f"{reverse(ADDRESS)}?since=someday"
    assert len(shown(browser, action="log:export")) == 1


def test_a_download_is_bounded_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    browser = operator(Role.DPO).sign_in()
    for _count in range(7):
        append_durable(Draft(action=Action.LOG_START, actor="system:keeper"))
    integrate_once()
    monkeypatch.setattr(log_filter, "BATCH", 2)
    for most, complete in ((8, True), (7, True), (6, False), (4, False)):
        monkeypatch.setattr(operator_views, "MOST_IN_A_FILE", most)
        *lines, last = lines_of(browser, action="log:start")
        assert last == {"entries": min(most, 7), "complete": complete}
        indices = [line["index"] for line in lines]
        assert indices == sorted(indices, reverse=True)
        assert len(set(indices)) == min(most, 7)


def test_the_page_says_how_the_log_stands() -> None:
    browser = operator(Role.DPO).sign_in()
    body = browser.get(reverse(ADDRESS)).content.decode()
    assert "nothing yet" in body
    assert "manage.py verify_log" in body
    integrate_once()
    call_command("verify_log", stdout=io.StringIO())
    body = browser.get(reverse(ADDRESS)).content.decode()
    assert "everything fits" in body
    verdict = verdicts.last_verdict()
    assert verdict is not None
    with time_machine.travel(verdict.at + timedelta(days=3)):
        body = operator(Role.DPO).sign_in().get(reverse(ADDRESS)).content.decode()
        assert "long ago" in body
        assert "3 days ago" in body.replace("\xa0", " ")
    problem = "entry 3: stored hash 7 is wrong"
    verdicts.remember(Verdict(entries=3, checkpoints=1, root=b"", waiting=0, problem=problem))
    body = browser.get(reverse(ADDRESS)).content.decode()
    assert "NOT VERIFIED" in body
    assert f">{problem}<" in body
    assert "everything fits" not in body
    verdicts.path().write_text("{}")
    assert verdicts.last_verdict() is None


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
