"""Several analyses of one photograph beside each other: who may, what it costs, and what is said."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from uuid_utils.compat import uuid7

from accounts.models import Role, TrainingCertificate
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from consent.withdrawals import withdraw
from emotion.analyses import run_analysis
from emotion.comparison import (
    Column,
    comparable,
    differences,
    letter_of,
    said_in_words,
    side_by_side,
)
from emotion.disputes import dispute
from emotion.erasure import drain
from emotion.models import Analysis, Recording
from emotion.reanalysis import analyse_again
from emotion.results import OpenResult
from tests.cast import Person, Study, analysed, consenting, open_study, operator, text_of
from tests.emotion.test_pack_choice import models_dir, use_other

__all__ = ["models_dir"]
pytestmark = pytest.mark.usefixtures("fresh_db", "models_dir")


@pytest.fixture
def study() -> Study:
    return open_study(keep_media=True)


def once_more(study: Study, recording: Recording) -> Analysis:
    made = analyse_again(study.researcher.actor, recording.id)
    run_analysis(made.id)
    made.refresh_from_db()
    assert made.state == "done", made.reason
    return made


def address(row: Analysis, name: str = "operate_compare") -> str:
    return reverse(name, args=[row.recording_id])


def opened() -> Counter[tuple[str, str, str]]:
    """Entries about read results: who, how it ended and why."""
    integrate_once()
    rows = LogEntry.objects.filter(action="result:read")
    return Counter((row.actor.split(":")[0], row.outcome, row.reason) for row in rows)


def compare(
    browser: Client, row: Analysis, *ticked: Analysis, reason: str = "study-analysis"
) -> Any:
    form = {"analyses": [str(each.id) for each in ticked], "reason": reason}
    return browser.post(address(row), form)


def test_two_packs_beside_each_other_and_an_entry_for_each(
    study: Study, person: Person, tmp_path: Path
) -> None:
    first = analysed(study)
    use_other(tmp_path)
    second = once_more(study, first.recording)
    rita = study.researcher.sign_in()
    assert "Compare its analyses" in text_of(
        rita.get(reverse("operate_recording", args=[first.recording_id]))
    )
    asked = rita.get(address(first))
    assert "happy" not in asked.content.decode()
    assert not opened()
    answer = compare(rita, first, first, second)
    text = text_of(answer)
    assert "no-store" in answer.headers["Cache-Control"]
    assert opened() == {("operator", "ok", "study-analysis"): 2}
    entries = LogEntry.objects.filter(action="result:read")
    assert all(str(entry.entry_id) in text for entry in entries)
    assert "expression-mean-of-three 1" in text
    assert "other 1" in text
    assert "They all say the same in words: The expression looked happy." in text
    assert "Different models measured" in text
    assert "A saw the photograph as it came; B saw what is kept of it" in text
    assert "The newer one is not the truer one." in text
    history = person.browser.get(reverse("access_history")).content.decode()
    assert history.count("A result about you was read") == 2


def test_nothing_opens_without_a_reason_and_two_of_its_own_analyses(
    study: Study, person: Person
) -> None:
    first = analysed(study)
    rita = study.researcher.sign_in()
    assert "Nothing to compare" in text_of(rita.get(address(first)))
    second = once_more(study, first.recording)
    strange = analysed(study)
    page = rita.get(reverse("operate_recording", args=[strange.recording_id]))
    assert "Compare its analyses" not in page.content.decode()
    for ticked, reason, said in (
        ([first, second], "own-access", "Choose one of the reasons listed"),
        ([first, second], "", "This field is required"),
        ([first], "quality-check", "Tick two to 4 analyses; 1 came."),
        ([first, strange], "quality-check", "Choose of the analyses listed"),
    ):
        answer = compare(rita, first, *ticked, reason=reason)
        assert answer.status_code == 422
        assert said in text_of(answer)
    assert not opened()


def test_of_many_at_most_four(study: Study, person: Person) -> None:
    first = analysed(study)
    rows = [first, *(once_more(study, first.recording) for _turn in range(4))]
    rita = study.researcher.sign_in()
    page = BeautifulSoup(rita.get(address(first)).content, "html.parser")
    ticked = [box["value"] for box in page.select("[name=analyses][checked]")]
    assert ticked == [str(row.id) for row in rows[1:]], "the newest four"
    answer = compare(rita, first, *rows)
    assert "Tick two to 4 analyses; 5 came." in text_of(answer)
    assert not opened()
    assert "A saw the photograph" not in text_of(compare(rita, first, *rows[1:]))
    assert "The shares hardly differ." in text_of(compare(rita, first, *rows[1:3]))
    assert opened() == {("operator", "ok", "study-analysis"): 6}
    person.browser.get(address(first, "own_comparison"))
    assert opened()["subject", "ok", "own-access"] == 4


def test_an_earlier_result_is_found_while_the_next_waits_and_after_it_failed(
    study: Study, person: Person
) -> None:
    first = analysed(study)
    again = analyse_again(study.researcher.actor, first.recording_id)
    own = address(first, "own_recording")
    page = person.browser.get(own).content.decode()
    assert reverse("own_result", args=[first.id]) in page
    assert reverse("own_result", args=[again.id]) not in page
    Analysis.objects.filter(pk=again.id).update(state="failed", reason="model-failed")
    assert reverse("own_result", args=[first.id]) in person.browser.get(own).content.decode()
    assert address(first, "own_comparison") not in page
    withdraw(person.actor, person.subject, study.purpose)
    assert reverse("own_result", args=[first.id]) not in person.browser.get(own).content.decode()


def test_who_must_not_look_finds_nothing(study: Study, person: Person) -> None:
    first = analysed(study)
    second = once_more(study, first.recording)
    for browser in (
        operator(Role.RESEARCHER, "charlie").sign_in(),
        study.officer.sign_in(),
        consenting(study, "P-002").browser,
    ):
        assert browser.get(address(first)).status_code == 404
        assert compare(browser, first, first, second).status_code == 404
        assert browser.get(address(first, "own_comparison")).status_code == 404
    assert not opened()
    TrainingCertificate.objects.update(valid_until=timezone.now() - timedelta(days=1))
    rita = study.researcher.sign_in()
    assert "Your training is not valid" in text_of(rita.get(address(first)))
    assert compare(rita, first, first, second).status_code == 422
    assert opened() == {("operator", "refused", "training-missing"): 1}


def test_what_is_withdrawn_erased_or_disputed_is_closed(study: Study, person: Person) -> None:
    first = analysed(study)
    second = once_more(study, first.recording)
    rita = study.researcher.sign_in()
    dispute(person.actor, first.recording_id)
    assert compare(rita, first, first, second).status_code == 422
    page = rita.get(reverse("operate_recording", args=[first.recording_id]))
    assert "Compare its analyses" not in page.content.decode()
    withdraw(person.actor, person.subject, study.purpose)
    answer = compare(rita, first, first, second)
    assert answer.status_code == 422
    assert "happy" not in answer.content.decode()
    page = person.browser.get(reverse("own_recording", args=[first.recording_id]))
    assert "Compare its analyses" not in page.content.decode()
    drain()
    assert "Nothing to compare" in text_of(compare(rita, first, first, second))
    assert opened() == {
        ("operator", "refused", "recording-disputed"): 1,
        ("operator", "refused", "consent-withdrawn"): 1,
    }


def test_a_category_dropped_since_is_in_no_column(study: Study, person: Person) -> None:
    first = analysed(study)
    once_more(study, first.recording)
    change = {"step": "stop:expression"}
    person.browser.post(reverse("consent_change", args=[study.purpose.id]), change)
    page = person.browser.get(reverse("own_recording", args=[first.recording_id]))
    assert "Compare its analyses" in page.content.decode()
    text = text_of(person.browser.get(address(first, "own_comparison")))
    assert "Apparent expression" not in text
    assert "happy" not in text
    assert "Facial movements" in text
    assert "each stands in the log as your own access" in text


NO_PERMIT: Any = None  # these results were never sealed


def column(letter: str, status: str = "read", **parts: Any) -> Column:
    """An opened analysis as it would come out of the vault."""
    now = timezone.now()
    row = Analysis(id=uuid7(), recording=Recording(covered_at=None), finished_at=now)
    models = {"models": {"face.onnx": "1"}, "packs": {}, "quality": {"light": 0.5}}
    summary = {"status": status, **models}
    return Column(letter, OpenResult(row, {"summary": summary, **parts}, {}, NO_PERMIT, uuid7()))


def expression(happy: float, held: list[str], abstained: bool = False) -> dict[str, Any]:
    rest = (1 - happy) / 6
    names = ("angry", "disgust", "fear", "sad", "surprise", "neutral")
    return {
        "probabilities": {"happy": happy} | dict.fromkeys(names, rest),
        "set": held,
        "abstained": abstained,
    }


def test_what_differs_is_said_in_words() -> None:
    sure = column("A", expression=expression(0.71, ["happy"]))
    unsure = column("B", expression=expression(0.31, ["happy", "sad", "fear", "angry"], True))
    blind = column("C", "too-dark")
    found = differences([sure, unsure, blind])
    assert found == [
        "1 of 3 analyses abstained: it measured nothing, and says why below.",
        "Of 3 analyses, 1 cannot tell which expression it was.",
        "They do not say the same in words. A: The expression looked happy; B: Cannot tell which "
        "expression; C: Not analysed.",
        "The shares lie farthest apart at “happy”: A 71\u00a0%, B 31\u00a0%.",
        "The same models measured each time.",
    ]
    shown = side_by_side([sure, unsure, blind])
    assert [cell and cell["value"] for _l, cell in shown["shares"][0]["cells"]] == [
        "71\u00a0%",
        "31\u00a0%",
        None,
    ]
    assert shown["shares"][0]["apart"] == 40
    assert shown["movements"] == []
    assert blind.fits == "The photograph is too dark."
    assert "71" not in repr(sure)


def test_the_same_words_for_different_reasons_are_said_to_be_the_same_words() -> None:
    three = column("A", expression=expression(0.31, ["happy", "sad", "fear"], True))
    four = column("B", expression=expression(0.31, ["happy", "sad", "fear", "angry"], True))
    assert said_in_words([three, four]) == (
        "They all say the same in words: Cannot tell which expression. They differ in what fits: A: happy, "
        "sad, fearful; B: happy, sad, fearful, angry."
    )
    other_order = column("B", expression=expression(0.3, ["sad", "happy", "fear"], True))
    assert said_in_words([three, other_order]).endswith("words: Cannot tell which expression.")
    assert said_in_words([column("A", "too-dark"), column("B", "unclear")]) == (
        "They all say the same in words: Not analysed. They differ in why: A: The photograph is too dark. "
        "B: The face is covered, cut off or upside down."
    )


def test_one_that_measured_alone_has_nothing_to_be_apart_from() -> None:
    shown = side_by_side(
        [column("A", expression=expression(0.9, ["happy"])), column("B", "no-face")]
    )
    assert {row["apart"] for row in shown["shares"]} == {None}
    assert not any("farthest" in sentence for sentence in shown["differences"])


def test_letters_go_on_after_z() -> None:
    assert [letter_of(place) for place in (0, 25, 26, 27)] == ["A", "Z", "A2", "B2"]


def test_an_analysis_that_waits_is_not_compared(study: Study, person: Person) -> None:
    first = analysed(study)
    analyse_again(study.researcher.actor, first.recording_id)
    assert [(letter, row.id) for letter, row in comparable(first.recording)] == [("A", first.id)]
