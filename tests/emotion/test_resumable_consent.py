"""Resumable uploads and the gate: asked at every step, and whoever leaves wins."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.client_keys import revoke_key
from accounts.clients import revoke_client
from accounts.models import ApiClient
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from consent.narrowing import pause, resume
from consent.withdrawals import withdraw
from emotion.erasure import drain
from emotion.models import Recording, UploadPart
from emotion.storing import Storing
from tests.cast import Person, Study, measured
from tests.emotion.tus_sending import BODY, actions, small_parts, told, tus, while_sending
from tests.faults.leftovers import NOTHING, living_keys, rows, sealed_files
from tests.tus import Tus

pytestmark = pytest.mark.usefixtures("fresh_db")
__all__ = ["small_parts", "tus"]  # fixtures


def test_the_gate_is_asked_at_every_step(study: Study, person: Person, tus: Tus) -> None:
    address = tus.begin(study.purpose.id, len(BODY))
    tus.patch(address, 0, BODY[:30_000])
    pause(person.actor, person.subject, study.purpose)
    before = sealed_files()
    assert told(tus.create(study.purpose.id, 5)) == (403, "processing-restricted")
    assert told(tus.patch(address, 30_000, BODY[30_000:])) == (403, "processing-restricted")
    assert sealed_files() == before
    resume(person.actor, person.subject, study.purpose)
    assert tus.patch(address, 30_000, BODY[30_000:]).status_code == 204
    assert [each for each in actions() if each.endswith("refused")] == [
        "upload:begin refused", "upload:part refused",
    ]  # fmt: skip
    measured()


def test_a_withdrawal_takes_what_has_come(study: Study, person: Person, tus: Tus) -> None:
    before = sealed_files()
    address = tus.begin(study.purpose.id, len(BODY))
    tus.patch(address, 0, BODY[:50_000])
    assert living_keys(person.subject)
    withdraw(person.actor, person.subject, study.purpose)
    assert not living_keys(person.subject), "at once"
    assert told(tus.patch(address, 50_000, BODY[50_000:])) == (403, "consent-withdrawn")
    drain()
    assert (rows(), sealed_files()) == (NOTHING, before)
    assert tus.head(address).status_code == 404


@pytest.mark.parametrize("erased", [True, False])
def test_a_withdrawal_in_the_middle_of_a_request_wins(
    study: Study, person: Person, tus: Tus, monkeypatch: pytest.MonkeyPatch, erased: bool
) -> None:
    before = sealed_files()
    address = tus.begin(study.purpose.id, len(BODY))

    def leave() -> None:
        withdraw(person.actor, person.subject, study.purpose)
        if erased:
            drain()

    while_sending(monkeypatch, leave)
    assert tus.patch(address, 0, BODY).status_code in {403, 404}
    assert not UploadPart.objects.exists()
    assert "upload:part" not in actions()
    drain()
    assert (rows(), sealed_files()) == (NOTHING, before)
    assert not living_keys(person.subject)


@pytest.mark.parametrize("ended", ["client", "key"])
def test_nothing_is_kept_for_a_client_that_was_taken_back_meanwhile(
    study: Study, person: Person, tus: Tus, monkeypatch: pytest.MonkeyPatch, ended: str
) -> None:
    address = tus.begin(study.purpose.id, len(BODY))
    before = sealed_files()

    def take_back() -> None:
        client = ApiClient.objects.get()
        if ended == "client":
            revoke_client(study.administrator.actor, client.id)
        else:
            revoke_key(study.administrator.actor, client.id, client.keys.get().prefix)

    while_sending(monkeypatch, take_back)
    assert told(tus.patch(address, 0, BODY)) == (401, "invalid-key")
    assert not UploadPart.objects.exists()
    assert not Recording.objects.exists()
    assert sealed_files() == before
    integrate_once()
    refused = LogEntry.objects.filter(outcome="refused").latest("index")
    assert refused.reason == "not-permitted"
    assert refused.action in {"upload:part", "media:upload"}


def test_a_client_that_was_taken_back_at_the_very_end_has_sent_nothing(
    study: Study, person: Person, tus: Tus, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = tus.begin(study.purpose.id, len(BODY))
    store = Storing.store

    def late(storing: Storing) -> Any:
        revoke_client(study.administrator.actor, ApiClient.objects.get().id)
        return store(storing)

    monkeypatch.setattr(Storing, "store", late)
    assert told(tus.patch(address, 0, BODY)) == (401, "invalid-key")
    assert not Recording.objects.exists()
    integrate_once()
    entry = LogEntry.objects.get(action="media:upload")
    assert (entry.outcome, entry.reason) == ("refused", "not-permitted")


def test_the_end_is_durable_only_with_the_recording(
    study: Study, person: Person, tus: Tus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else somebody who hears that all of it is here would wait for a recording that nobody makes."""
    address = tus.begin(study.purpose.id, len(BODY))
    tus.patch(address, 0, BODY[:50_000])
    before, store = sealed_files(), Storing.store

    def paused(storing: Storing) -> Any:
        pause(person.actor, person.subject, study.purpose)
        return store(storing)

    with monkeypatch.context() as patched:
        patched.setattr(Storing, "store", paused)
        answer = tus.patch(address, 50_000, BODY[50_000:])
        assert told(answer) == (403, "processing-restricted")
    assert tus.offset(address) == 50_000
    assert sealed_files() == before
    assert len(living_keys(person.subject)) == 1, "that of the parts"
    resume(person.actor, person.subject, study.purpose)
    assert tus.patch(address, 50_000, BODY[50_000:]).status_code == 204
    measured()


def test_a_withdrawal_before_the_last_question_wins(
    study: Study, person: Person, tus: Tus, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = tus.begin(study.purpose.id, len(BODY))
    store = Storing.store

    def late(storing: Storing) -> Any:
        withdraw(person.actor, person.subject, study.purpose)
        return store(storing)

    monkeypatch.setattr(Storing, "store", late)
    assert told(tus.patch(address, 0, BODY)) == (403, "consent-withdrawn")
    drain()
    assert rows() == NOTHING
    assert not living_keys(person.subject)
