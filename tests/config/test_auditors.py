"""Auditors fetch the entries of the log with a token, and with nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.attempts import ADDRESS_LIMIT
from accounts.auditors import create_token, find_token, revoke_token
from accounts.errors import InvalidToken, UnknownToken
from accounts.models import AuditorToken, Role
from audit_log.actions import Action
from audit_log.entries import Draft
from audit_log.log import append_durable
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from audit_log.tiles import read_bundle
from tests.cast import Operator, operator

pytestmark = pytest.mark.usefixtures("fresh_db")
DRAFT = Draft(action=Action.RESULT_READ, actor="system:worker", subject_tag=b"s" * 32)
ENTRIES = "/log/tile/entries/"


@dataclass
class Audit:
    officer: Operator
    token: AuditorToken
    text: str

    def get(self, path: str, text: str | None = None) -> object:
        return ask(path, self.text if text is None else text)


def ask(path: str, text: str, scheme: str = "Bearer") -> object:
    return Client(headers={"Authorization": f"{scheme} {text}"}).get(ENTRIES + path)


def write(number: int) -> int:
    for _ in range(number):
        append_durable(DRAFT)
    integrate_once()
    return LogEntry.objects.count()


@pytest.fixture
def audit() -> Audit:
    officer = operator(Role.DPO)
    ends = timezone.now() + timedelta(days=30)
    return Audit(officer, *create_token(officer.actor, name="Auditor Ltd", expires_at=ends))


def reads() -> list[tuple[str, str, str]]:
    integrate_once()
    rows = LogEntry.objects.filter(action=Action.LOG_READ).order_by("index")
    return list(rows.values_list("actor", "outcome", "reason"))


def test_full_and_partial_bundles_are_the_entries(audit: Audit) -> None:
    size = write(260)
    bodies = [bytes(row.body) for row in LogEntry.objects.order_by("index")]
    for path, expected in {
        "000": bodies[:256],
        "000.p/3": bodies[:3],
        f"001.p/{size - 256}": bodies[256:size],
    }.items():
        answer = audit.get(path)
        assert answer.status_code == 200, path
        assert read_bundle(answer.content) == expected
        assert "no-store" in answer.headers["Cache-Control"]
        assert "private" in answer.headers["Cache-Control"]
        assert "Content-Encoding" not in answer.headers
    for path in ("001", "002", f"001.p/{size}", "0", "000.p/256", "x000/000", "000.p/0", "../0"):
        assert audit.get(path).status_code == 404, path
    assert reads() == [(f"auditor:{audit.token.id}", "ok", "")] * 3
    audit.token.refresh_from_db()
    assert audit.token.last_used_at is not None


def test_without_a_live_token_nothing_is_shown(audit: Audit) -> None:
    write(3)
    other, revoked = create_token(
        audit.officer.actor, name="gone", expires_at=timezone.now() + timedelta(days=1)
    )
    revoke_token(audit.officer.actor, other.id)
    wrong = [audit.text + "x", "cna_nobody_secret", audit.text.replace("cna", "cns"), "x", revoked]
    for text in wrong:
        answer = audit.get("000.p/3", text)
        assert answer.status_code == 401, text
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="log"'
        assert "no-store" in answer.headers["Cache-Control"]
    assert reads() == [
        *[("anonymous", "refused", "bad-credentials")] * 4,
        (f"auditor:{other.id}", "refused", "bad-credentials"),
    ]
    for silent in (Client().get(f"{ENTRIES}000.p/3"), ask("000.p/3", audit.text, "Basic")):
        assert silent.status_code == 401
    with time_machine.travel(timezone.now() + timedelta(days=31)):
        assert audit.get("000.p/3").status_code == 401
    assert audit.officer.sign_in().get(f"{ENTRIES}000.p/3").status_code == 401, "a page is no token"


def test_guessing_is_slowed_down_and_does_not_flood_the_log(audit: Audit) -> None:
    write(1)
    for number in range(ADDRESS_LIMIT):
        assert audit.get("000.p/1", f"cna_guess_{number}").status_code == 401
    answer = audit.get("000.p/1", "cna_guess_more")
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) == 900
    assert len(reads()) == ADDRESS_LIMIT
    assert audit.get("000.p/1").status_code == 200, "who has the token is not shut out by others"


def test_only_a_hash_is_kept_and_each_step_is_an_entry(audit: Audit) -> None:
    secret = audit.text.split("_", 2)[2]
    assert secret not in str(AuditorToken.objects.values())
    assert find_token(audit.text) == audit.token
    revoke_token(audit.officer.actor, audit.token.id)
    revoke_token(audit.officer.actor, audit.token.id)
    with pytest.raises(UnknownToken):
        revoke_token(audit.officer.actor, UUID(int=0))
    integrate_once()
    found = LogEntry.objects.filter(action__startswith="auditor:").order_by("index")
    assert [row.action for row in found] == [Action.AUDITOR_CREATE, Action.AUDITOR_REVOKE]
    assert {row.actor for row in found} == {audit.officer.actor.log_name()}
    assert str(audit.token.id).encode() in found[0].entry().draft.detail
    for name, ends in ((" ", timedelta(days=1)), ("late", timedelta(0))):
        with pytest.raises(InvalidToken):
            create_token(audit.officer.actor, name=name, expires_at=timezone.now() + ends)


@pytest.mark.parametrize("role", [Role.DPO, Role.ADMINISTRATOR])
def test_the_officer_and_the_administrator_make_and_revoke_them(role: Role) -> None:
    browser = operator(role).sign_in()
    new = reverse("operate_auditor_new")
    assert "No tokens" in browser.get(reverse("operate_auditors")).text
    assert browser.post(new, {"name": "", "days": "30"}).status_code == 422
    page = browser.post(new, {"name": "Auditor Ltd", "days": "30"})
    text = re.search(r"cna_[0-9a-f]{10}_[A-Za-z0-9_-]{43}", page.text)
    assert text
    assert "no-store" in page.headers["Cache-Control"]
    write(1)
    assert ask("000.p/1", text[0]).status_code == 200
    listed = browser.get(reverse("operate_auditors")).text
    assert "Auditor Ltd" in listed
    assert text[0] not in listed
    revoke = reverse("operate_auditor_revoke", args=[AuditorToken.objects.get().id])
    assert "opens no entries" in browser.get(revoke).text
    assert browser.post(revoke).status_code == 302
    assert ask("000.p/1", text[0]).status_code == 401
    assert "was revoked" in browser.get(revoke).text


def test_researchers_make_none() -> None:
    browser = operator(Role.RESEARCHER).sign_in()
    assert browser.get(reverse("operate_auditors")).status_code == 404
    assert (
        browser.post(reverse("operate_auditor_new"), {"name": "a", "days": "7"}).status_code == 404
    )
