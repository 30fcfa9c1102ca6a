"""“This is not me”: one step closes a recording for everybody, and the study is told."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest
import time_machine
from django.db import connections
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role
from audit_log.actions import Action
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from consent.errors import ConsentRefused
from consent.models import ErasureRequest
from emotion import analyses, saving
from emotion.analyses import read_face, run_analysis
from emotion.claims import claim
from emotion.dispute_notes import tell_operators
from emotion.disputes import ERASED_AFTER, dispute, erase_unanswered, retract
from emotion.erasure import drain
from emotion.models import MAX_TRIES, Analysis, AnalysisState, Dispute, Recording, Result
from emotion.saving import save_results
from tests.cast import PHOTO, Person, Study, api_get, consenting, open_study, operator, upload
from tests.faults.leftovers import living_keys, sealed_files
from tests.mail_server import mail_server

pytestmark = pytest.mark.usefixtures("fresh_db")


@pytest.fixture
def study() -> Study:
    return open_study(keep_media=True)


@pytest.fixture
def key(study: Study) -> str:
    return study.key()


@pytest.fixture
def waiting(study: Study, person: Person, key: str) -> Analysis:
    """An upload by the study's own system that nobody has analysed yet."""
    answer = upload(key, person.reference, study.purpose.id, PHOTO.read_bytes())
    assert answer.status_code == 202, answer.content
    return Analysis.objects.select_related("recording").get()


@pytest.fixture
def done(waiting: Analysis) -> Analysis:
    run_analysis(waiting.id)
    waiting.refresh_from_db()
    assert waiting.state == AnalysisState.DONE
    return waiting


def press(person: Person, name: str, row: Analysis) -> Any:
    """Press one button on the person's page of the recording."""
    address = reverse(name, args=[row.recording_id])
    page = person.browser.get(reverse("own_recording", args=[row.recording_id]))
    assert f'action="{address}"' in page.content.decode(), f"no button for {name}"
    return person.browser.post(address)


def entries(action: Action) -> list[LogEntry]:
    integrate_once()
    return list(LogEntry.objects.filter(action=action))


def test_one_step_and_no_field_closes_it_for_everybody(
    study: Study, person: Person, key: str, done: Analysis
) -> None:
    page = person.browser.get(reverse("own_recording", args=[done.recording_id]))
    form = re.search(r'<form[^>]*dispute/">(.*?)</form>', page.content.decode(), re.S)
    assert form
    fields = re.findall(r"<(?:input|select|textarea)[^>]*>", form[1])
    assert [field for field in fields if 'type="hidden"' not in field] == []
    assert press(person, "own_dispute", done).status_code == 302

    told = api_get(key, "api_result", done.id, Access_Reason="quality-check")
    assert (told.status_code, told.json()["code"]) == (403, "recording-disputed")
    state = api_get(key, "api_recording", done.recording_id).json()
    assert state["disputed_at"]
    reason = {"reason": "quality-check"}
    researcher = study.researcher.sign_in()
    for name in ("operate_result", "operate_photograph"):
        identity = done.id if name == "operate_result" else done.recording_id
        assert researcher.post(reverse(name, args=[identity]), reason).status_code == 422
    assert person.browser.get(reverse("own_result", args=[done.id])).status_code == 403
    own = reverse("own_photograph", args=[done.recording_id])
    assert person.browser.get(own).status_code == 403

    (entry,) = entries(Action.DISPUTE_OPEN)
    assert entry.actor == f"subject:{bytes(entry.subject_tag).hex()}"
    refused = {e.reason for e in entries(Action.RESULT_READ) + entries(Action.MEDIA_READ)}
    assert refused == {"recording-disputed"}
    seen = person.browser.get(reverse("access_history")).content.decode()
    assert "You said that a recording does not show you" in seen


def test_a_waiting_analysis_never_runs(person: Person, waiting: Analysis) -> None:
    press(person, "own_dispute", waiting)
    waiting.refresh_from_db()
    assert (waiting.state, waiting.reason) == (AnalysisState.REFUSED, "recording-disputed")
    run_analysis(waiting.id)
    assert not Result.objects.exists()
    assert not entries(Action.MEDIA_ANALYSE)


@pytest.mark.parametrize(
    ("place", "step"),
    [(analyses, "decode_photo"), (analyses, "analyse_photo"), (saving, "create_data_key")],
)
def test_a_running_analysis_is_stopped(
    person: Person,
    waiting: Analysis,
    monkeypatch: pytest.MonkeyPatch,
    place: ModuleType,
    step: str,
) -> None:
    real: Callable[..., Any] = getattr(place, step)

    def disputed_before(*args: Any, **kwargs: Any) -> Any:
        dispute(person.actor, waiting.recording_id)
        return real(*args, **kwargs)

    monkeypatch.setattr(place, step, disputed_before)
    run_analysis(waiting.id)
    waiting.refresh_from_db()
    assert (waiting.state, waiting.reason) == (AnalysisState.REFUSED, "recording-disputed")
    assert not Result.objects.exists()
    assert living_keys(person.subject) == [waiting.recording.media_key_id]


def test_a_dispute_between_inference_and_save_wins(person: Person, waiting: Analysis) -> None:
    mine = claim(waiting.id)
    assert mine is not None
    reading, chosen, picture = read_face(mine)
    dispute(person.actor, waiting.recording_id)
    with pytest.raises(ConsentRefused) as refused:
        save_results(mine, reading, chosen, picture)
    assert refused.value.reason == "recording-disputed"
    assert not Result.objects.exists()


def test_taking_it_back_goes_on_where_it_stopped(
    study: Study, person: Person, key: str, waiting: Analysis
) -> None:
    press(person, "own_dispute", waiting)
    press(person, "own_dispute_retract", waiting)
    waiting.refresh_from_db()
    assert (waiting.state, waiting.reason) == (AnalysisState.QUEUED, "")
    run_analysis(waiting.id)
    told = api_get(key, "api_result", waiting.id, Access_Reason="quality-check")
    assert told.status_code == 200
    assert len(entries(Action.DISPUTE_RETRACT)) == 1
    assert upload(key, "P-001", study.purpose.id, PHOTO.read_bytes()).status_code == 202


def test_no_number_of_disputes_taken_back_uses_up_the_tries(
    person: Person, waiting: Analysis
) -> None:
    """Neither those that met a worker at work, nor one that came before it began."""
    for _time in range(MAX_TRIES + 1):
        assert claim(waiting.id) is not None
        dispute(person.actor, waiting.recording_id)
        retract(person.actor, waiting.recording_id)
    dispute(person.actor, waiting.recording_id)
    retract(person.actor, waiting.recording_id)
    waiting.refresh_from_db()
    assert (waiting.state, waiting.tries) == (AnalysisState.QUEUED, 0)
    run_analysis(waiting.id)
    waiting.refresh_from_db()
    assert waiting.state == AnalysisState.DONE


def test_its_uploader_adds_nothing_until_an_operator_has_answered(
    study: Study, person: Person, key: str, done: Analysis
) -> None:
    press(person, "own_dispute", done)
    photo = PHOTO.read_bytes()
    before = sealed_files()
    for _attempt in range(2):
        refused = upload(key, "P-001", study.purpose.id, photo, "again")
        assert (refused.status_code, refused.json()["code"]) == (403, "uploads-disputed")
    assert Recording.objects.count() == 1
    assert sealed_files() == before
    assert {entry.reason for entry in entries(Action.MEDIA_UPLOAD)} == {"", "uploads-disputed"}
    # others are not concerned: another person, another client
    consenting(study, "P-002")
    assert upload(key, "P-002", study.purpose.id, photo).status_code == 202
    assert upload(study.key(), "P-001", study.purpose.id, photo).status_code == 202
    # the person's own erasure does not answer for the client
    press(person, "own_dispute_erase", done)
    assert upload(key, "P-001", study.purpose.id, photo).status_code == 403
    answer(study.administrator.sign_in())
    assert upload(key, "P-001", study.purpose.id, photo, "again").status_code == 202


def answer(desk: Any, typed: str = "") -> Any:
    """An operator finds the dispute from their first page and closes it."""
    home = desk.get(reverse("operate_home")).content.decode()
    assert "1 person says “this is not me”" in home
    listed = desk.get(reverse("operate_disputes") + "?show=open").content.decode()
    found = re.search(r'href="([^"]+/disputes/[0-9a-f-]{36}/)"', listed)
    assert found
    page = desk.get(found[1]).content.decode()
    number = re.search(r'data-confirm-name="([0-9a-f]{8})"', page)
    assert number
    return desk.post(found[1], {"name": typed or number[1]})


@pytest.mark.parametrize("role", ["administrator", "officer"])
def test_operators_are_told_and_can_only_erase(
    study: Study, person: Person, done: Analysis, role: str
) -> None:
    press(person, "own_dispute", done)
    desk = getattr(study, role).sign_in()
    assert answer(desk, "00000000").status_code == 422
    assert Dispute.objects.open().count() == 1
    assert answer(desk).status_code == 302
    drain()
    done.refresh_from_db()
    assert done.state == AnalysisState.ERASED
    assert not Result.objects.exists()
    assert not living_keys(person.subject)
    assert sealed_files() == set()
    assert ErasureRequest.objects.get(only_key=None).cause == "dispute"
    assert len(entries(Action.DISPUTE_HANDLE)) == 1
    assert "1 person says" not in desk.get(reverse("operate_home")).content.decode()


def test_operators_get_a_note_that_names_nobody(
    study: Study, person: Person, done: Analysis, settings: Any
) -> None:
    press(person, "own_dispute", done)
    assert tell_operators() == 0  # no mail server: their first page says it
    operator(Role.RESEARCHER, "charlie")
    with mail_server(settings, refuse=True):
        assert tell_operators() == 0
    with mail_server(settings) as server:
        assert tell_operators() == 1
        assert tell_operators() == 0
    told = sorted(re.findall(r"^To: (.*)\r$", "\n".join(server.received), re.M))
    involved = [study.administrator, study.officer, study.researcher]
    assert told == sorted(each.user.email for each in involved)
    for note in server.received:
        assert f"/operate/disputes/{Dispute.objects.get().id}/" in note
        assert "Story study" in note
        for secret in (person.reference, str(person.subject.id), str(done.recording_id)):
            assert secret not in note


def test_nobody_else_can_say_it_or_answer_it(study: Study, person: Person, done: Analysis) -> None:
    other = consenting(study, "P-002")
    address = reverse("own_dispute", args=[done.recording_id])
    researcher = study.researcher.sign_in()
    for browser in (other.browser, study.administrator.sign_in(), researcher):
        assert browser.post(address).status_code == 404
    assert not Dispute.objects.exists()
    press(person, "own_dispute", done)
    place = reverse("operate_dispute", args=[Dispute.objects.get().id])
    confirm = {"name": str(done.recording_id)[-8:]}
    assert researcher.get(place).status_code == 200  # sees it, cannot answer
    assert researcher.post(place, confirm).status_code == 404
    stranger = operator(Role.RESEARCHER, "charlie").sign_in()
    assert stranger.get(place).status_code == 404
    assert (
        str(done.recording_id)[-8:]
        not in stranger.get(reverse("operate_disputes")).content.decode()
    )
    for name in ("own_dispute_retract", "own_dispute_erase"):
        theirs = other.browser.post(reverse(name, args=[done.recording_id]))
        assert theirs.status_code == 404
    assert Dispute.objects.open().count() == 1


def test_an_unanswered_one_is_erased_by_date(person: Person, done: Analysis) -> None:
    press(person, "own_dispute", done)
    assert erase_unanswered() == 0
    with time_machine.travel(timezone.now() + ERASED_AFTER - timedelta(minutes=1)):
        assert erase_unanswered() == 0
    with time_machine.travel(timezone.now() + ERASED_AFTER + timedelta(minutes=1)):
        assert erase_unanswered() == 1
        assert erase_unanswered() == 0
    drain()
    assert not living_keys(person.subject)
    assert Dispute.objects.open().count() == 1, "the study still has to answer"


def test_what_is_erased_cannot_be_taken_back(person: Person, done: Analysis) -> None:
    press(person, "own_dispute", done)
    press(person, "own_dispute_erase", done)
    person.browser.post(reverse("own_dispute_retract", args=[done.recording_id]))
    assert Dispute.objects.open().count() == 1
    page = person.browser.get(reverse("own_recording", args=[done.recording_id]))
    assert "Erased" in page.content.decode()
    assert "dispute/retract" not in page.content.decode()


def test_a_recording_that_is_gone_can_still_be_disputed(
    study: Study, person: Person, done: Analysis
) -> None:
    """The study must learn that somebody else was filed, also after the erasure."""
    person.browser.post(reverse("consent_withdraw", args=[study.purpose.id]))
    drain()
    press(person, "own_dispute", done)
    assert Dispute.objects.open().count() == 1


def test_two_clicks_at_once_make_one_dispute(person: Person, done: Analysis) -> None:
    actor, together = person.actor, threading.Barrier(4)
    made: list[Any] = []

    def click() -> None:
        together.wait()
        made.append(dispute(actor, done.recording_id).id)
        connections.close_all()

    clicks = [threading.Thread(target=click) for _number in range(4)]
    for each in clicks:
        each.start()
    for each in clicks:
        each.join()
    assert len(made) == 4
    assert len(set(made)) == Dispute.objects.count() == 1
    assert len(entries(Action.DISPUTE_OPEN)) == 1
