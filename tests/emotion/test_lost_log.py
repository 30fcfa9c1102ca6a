"""A backup without the log's end: everything that may have been ended is closed, and it is said aloud."""

from __future__ import annotations

import io
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from accounts.auditors import create_token, revoke_token
from accounts.models import ApiClient, AuditorToken, Role, User
from audit_log import signing
from audit_log.actions import Action
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from audit_log.verification import verify_database
from consent.models import ConsentState, ConsentStatus
from emotion import restoring
from emotion.backups import make_backup
from emotion.cohort import left_of
from emotion.upgrades import restoring_mark
from tests.cast import PHOTO, come_in, consent, upload
from tests.emotion.test_restore import Yesterday, ten_people

pytestmark = pytest.mark.usefixtures("fresh_db")
NAME = "study.example/log-2"


def restore(then: Yesterday, *more: str) -> str:
    out = io.StringIO()
    words = [str(then.made.data), "--identity", str(then.identity)]
    call_command("restore", *words, *more, stdout=out)
    return out.getvalue()


@pytest.fixture
def then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Yesterday:
    """Three people; since the backup one withdrew and one came, of which no export tells."""
    made = ten_people(tmp_path, monkeypatch, 3)
    create_token(
        made.study.officer.actor, name="auditor", expires_at=timezone.now() + timedelta(days=9)
    )
    integrate_once()
    made.made = make_backup(made.folder)
    made.people[0].browser.post(reverse("consent_withdraw", args=[made.study.purpose.id]))
    integrate_once()
    return made


def test_everything_that_may_have_ended_is_closed(then: Yesterday, clean_machine: Any) -> None:
    log = ["--log", str(then.folder / "log")]
    clean_machine()
    with pytest.raises(CommandError, match="--log: expected"):
        restore(then)
    with pytest.raises(CommandError, match="--new-origin NAME"):
        restore(then, *log)
    with pytest.raises(CommandError, match="taken"):
        restore(then, *log, "--new-origin", signing.public_key().name)
    assert not restoring_mark().exists()
    said = restore(then, *log, "--new-origin", NAME)
    assert "paused until the person says otherwise: 3 consents" in said
    assert "2 operators, 1 API clients, 1 auditors" in said
    assert "THE LOG HAS LOST ENTRIES AND GOES ON UNDER A NEW ORIGIN" in said

    states = ConsentState.objects.filter(status=ConsentStatus.GIVEN)
    assert states.count() == 3, "nobody knows who withdrew"
    assert not states.filter(restricted_at=None).exists()
    assert not ApiClient.objects.filter(revoked_at=None).exists()
    assert not AuditorToken.objects.filter(revoked_at=None).exists()
    assert not User.objects.filter(role__in=[Role.DPO, Role.RESEARCHER], is_active=True).exists()
    assert left_of(then.study.purpose.id).answers == 0, "nobody knows what was told of the group"
    fresh = then.study.key()
    for person in then.people:
        sent = upload(fresh, person.reference, then.study.purpose.id, PHOTO.read_bytes())
        assert sent.status_code == 403, sent.content
    assert LogEntry.objects.filter(action=Action.CONSENT_RESTRICT).count() == 3
    assert signing.public_key().name == NAME
    assert verify_database().problem == ""
    later = come_in(then.study, "P-901")
    consent(later, then.study.purpose)
    sent = upload(fresh, later.reference, then.study.purpose.id, PHOTO.read_bytes())
    assert sent.status_code == 202, "the study goes on with whoever says yes now"


def test_without_any_export_it_works_too(then: Yesterday, clean_machine: Any) -> None:
    shutil.rmtree(then.folder / "log")
    clean_machine()
    assert "3 consents" in restore(then, "--new-origin", NAME)
    assert verify_database().problem == ""


def test_an_export_that_reaches_the_end_needs_no_new_origin(
    then: Yesterday,
    clean_machine: Any,
) -> None:
    make_backup(then.folder)
    clean_machine()
    with pytest.raises(CommandError, match="reaches the end of the log: restore without"):
        restore(then, "--log", str(then.folder / "log"), "--new-origin", NAME)
    assert "1 consents" in restore(then, "--log", str(then.folder / "log"))


def test_killed_at_any_step_the_next_call_finishes(
    then: Yesterday,
    clean_machine: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = ["--log", str(then.folder / "log"), "--new-origin", NAME]
    clean_machine()
    for step in ("replay", "close_everything", "begin_origin", "integrate_once"):
        with monkeypatch.context() as patch:

            def killed(*given: Any, **named: Any) -> Any:
                raise OSError("killed")

            patch.setattr(restoring, step, killed)
            with pytest.raises(CommandError, match="killed"):
                restore(then, *words)
        assert restoring_mark().exists() == (step != "integrate_once")
    integrate_once()
    assert not ConsentState.objects.filter(status=ConsentStatus.GIVEN, restricted_at=None).exists()
    assert LogEntry.objects.filter(action=Action.LOG_NEW_ORIGIN).count() == 1
    assert verify_database().problem == ""


def test_the_command_closes_and_goes_on_where_the_database_was_put_back_by_hand(
    then: Yesterday,
    clean_machine: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(CommandError, match="Nothing is lost"):
        call_command("new_log_origin", NAME)
    assert ConsentState.objects.filter(restricted_at=None, status=ConsentStatus.GIVEN).count() == 2
    clean_machine()
    with monkeypatch.context() as patch:  # only the data, as a copy of the database would be

        def killed(*given: Any) -> Any:
            raise OSError("killed")

        patch.setattr(restoring, "bring_up", killed)
        with pytest.raises(CommandError, match="killed"):
            restore(then, "--new-origin", NAME)
    restoring_mark().unlink()
    with pytest.raises(CommandError, match="no spaces"):
        call_command("new_log_origin", "two words")
    out = io.StringIO()
    call_command("new_log_origin", NAME, stdout=out)
    assert "closed: 3 consents paused" in out.getvalue()
    assert "THE LOG HAS LOST ENTRIES" in out.getvalue()
    integrate_once()
    assert verify_database().problem == ""


def test_with_the_log_only_the_tokens_that_were_revoked_since_are(
    then: Yesterday, clean_machine: Any
) -> None:
    officer, ends = then.study.officer.actor, timezone.now() + timedelta(days=9)
    gone, _text = create_token(officer, name="gone", expires_at=ends)
    then.made = make_backup(then.folder)
    revoke_token(officer, gone.id)
    integrate_once()
    make_backup(then.folder)
    clean_machine()
    said = restore(then, "--log", str(then.folder / "log"))
    assert "0 operators, 0 API clients, 1 auditors" in said
    assert [token.id for token in AuditorToken.objects.exclude(revoked_at=None)] == [gone.id]
