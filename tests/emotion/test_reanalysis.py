"""A kept photograph is analysed once more: both results stay, and the gate is asked as ever."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Scope
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from consent.errors import ConsentRefused
from consent.withdrawals import withdraw
from emotion.analyses import run_analysis
from emotion.erasure import drain
from emotion.errors import Gone, NotFound, UnderWay
from emotion.models import Analysis, AnalysisState
from emotion.reanalysis import analyse_again
from emotion.results import read_result
from tests.at_once import at_once
from tests.cast import Person, Study, analysed, consenting, open_study

pytestmark = pytest.mark.usefixtures("fresh_db")


@pytest.fixture
def study() -> Study:
    return open_study(keep_media=True)


def entries() -> list[tuple[str, str, str]]:
    integrate_once()
    rows = LogEntry.objects.filter(action="analysis:repeat").order_by("index")
    return [(row.actor.split(":")[0], row.outcome, row.reason) for row in rows]


def test_both_results_stay(study: Study, person: Person) -> None:
    first = analysed(study)
    browser = study.researcher.sign_in()
    page = reverse("operate_recording", args=[first.recording_id])
    assert "Analyse it again" in browser.get(page).content.decode()
    again = reverse("operate_again", args=[first.recording_id])
    assert browser.get(again).status_code == 405
    answer = browser.post(again, follow=True)
    assert "It is analysed once more" in answer.content.decode()
    second = Analysis.objects.exclude(pk=first.pk).get()
    with pytest.raises(UnderWay):
        analyse_again(study.researcher.actor, first.recording_id)
    run_analysis(second.id)
    second.refresh_from_db()
    assert second.state == AnalysisState.DONE
    one, other = (read_result(person.actor, row.id).parts for row in (first, second))
    # The second run sees what is kept: the same face, and a mosaic around it.
    assert one["expression"]["top"] == other["expression"]["top"] == "happy"
    for label, share in one["expression"]["probabilities"].items():
        assert other["expression"]["probabilities"][label] == pytest.approx(share, abs=0.06)
    assert set(first.results.values_list("data_key_id", flat=True)).isdisjoint(
        second.results.values_list("data_key_id", flat=True)
    )
    assert entries() == [("operator", "ok", "")]
    history = person.browser.get(reverse("access_history")).content.decode()
    assert "Another analysis was asked for" in history


def test_who_has_nothing_to_do_with_the_study_cannot(study: Study, person: Person) -> None:
    first = analysed(study)
    other = open_study()
    with pytest.raises(NotFound):
        analyse_again(other.researcher.actor, first.recording_id)
    again = reverse("operate_again", args=[first.recording_id])
    assert study.officer.sign_in().post(again).status_code in {403, 404}
    assert Analysis.objects.count() == 1


def test_after_a_withdrawal_it_is_refused_and_written_down(study: Study, person: Person) -> None:
    first = analysed(study)
    withdraw(person.actor, person.subject, study.purpose)
    with pytest.raises(ConsentRefused):
        analyse_again(study.researcher.actor, first.recording_id)
    assert entries() == [("operator", "refused", "consent-withdrawn")]
    assert Analysis.objects.count() == 1


def test_what_is_erased_cannot_be_analysed_again() -> None:
    study = open_study()  # keeps nothing
    consenting(study)
    first = analysed(study)
    with pytest.raises(Gone):
        analyse_again(study.researcher.actor, first.recording_id)
    page = study.researcher.sign_in().get(reverse("operate_recording", args=[first.recording_id]))
    assert "Analyse it again" not in page.content.decode()


def asked_again(key: str, recording: object, idempotency_key: str = "one", **more: Any) -> Any:
    """What a client is told that asks for another analysis."""
    return Client().generic(
        "POST",
        reverse("api_recording_analyses", args=[recording]),
        headers={"Authorization": f"Bearer {key}", "Idempotency-Key": idempotency_key},
        **({"content_type": ""} | more),
    )


def test_a_client_asks_for_it_with_its_own_key(study: Study, person: Person) -> None:
    first = analysed(study)
    key = study.key(Scope.RECORDINGS_ANALYSE)
    answer = asked_again(key, first.recording_id)
    assert answer.status_code == 202, answer.content
    made = answer.json()
    assert answer["Location"] == made["url"]
    assert (made["state"], made["recording"]) == ("queued", str(first.recording_id))
    assert asked_again(key, first.recording_id).json()["id"] == made["id"]
    busy = asked_again(key, first.recording_id, "another")
    assert (busy.status_code, busy.json()["code"]) == (409, "analysis-under-way")
    run_analysis(UUID(made["id"]))
    again = asked_again(key, first.recording_id)
    assert (again.json()["id"], again.json()["state"]) == (made["id"], "done")
    assert asked_again(key, first.recording_id, "another").json()["id"] != made["id"]
    assert Analysis.objects.count() == 3
    assert entries() == [("client", "ok", "")] * 2
    # Another client's key of the same name is another key.
    other = asked_again(study.key(), first.recording_id)
    assert (other.status_code, other.json()["code"]) == (409, "analysis-under-way")


def test_a_key_belongs_to_one_recording(study: Study, person: Person) -> None:
    consenting(study, "P-002")
    one, two, key = analysed(study), analysed(study, "P-002"), study.key()
    assert asked_again(key, one.recording_id).status_code == 202
    answer = asked_again(key, two.recording_id)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-mismatch")


def test_what_is_asked_wrongly_is_told(study: Study, person: Person) -> None:
    first, key = analysed(study), study.key()
    mistakes: tuple[tuple[dict[str, str], int, str], ...] = (
        ({"idempotency_key": ""}, 400, "upload-invalid"),
        ({"data": '{"pack": "x"}', "content_type": "application/json"}, 422, "invalid"),
        ({"data": "{", "content_type": "application/json"}, 400, "parse-error"),
        ({"data": "x", "content_type": "text/plain"}, 415, "unsupported-media-type"),
    )
    for given, status, code in mistakes:
        answer = asked_again(key, first.recording_id, **given)
        assert (answer.status_code, answer.json()["code"]) == (status, code), given
    assert asked_again(open_study().key(), first.recording_id).status_code == 404
    assert asked_again(study.key(Scope.RECORDINGS_READ), first.recording_id).status_code == 403
    withdraw(person.actor, person.subject, study.purpose)
    assert asked_again(key, first.recording_id).json()["code"] == "consent-withdrawn"
    drain()
    assert asked_again(key, first.recording_id).status_code == 410
    assert Analysis.objects.count() == 1


def test_one_key_at_once_makes_one_analysis(study: Study, person: Person) -> None:
    first, key = analysed(study), study.key()
    answers: list[Any] = []
    at_once(*[lambda: answers.append(asked_again(key, first.recording_id))] * 4)
    assert [answer.status_code for answer in answers] == [202] * 4, [a.content for a in answers]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert Analysis.objects.count() == 2
    assert len(entries()) == 1
