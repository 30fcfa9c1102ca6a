"""A kept photograph is analysed once more: both results stay, and the gate is asked as ever."""

from __future__ import annotations

import pytest
from django.urls import reverse

from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from consent.errors import ConsentRefused
from consent.withdrawals import withdraw
from emotion.analyses import run_analysis
from emotion.errors import Gone, NotFound, UnderWay
from emotion.models import Analysis, AnalysisState
from emotion.reanalysis import analyse_again
from emotion.results import read_result
from tests.cast import Person, Study, analysed, consenting, open_study

pytestmark = pytest.mark.usefixtures("fresh_db")


@pytest.fixture
def study() -> Study:
    return open_study(keep_media=True)


@pytest.fixture
def person(study: Study) -> Person:
    return consenting(study)


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
