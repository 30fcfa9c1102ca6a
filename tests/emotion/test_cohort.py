"""Figures about a group: who is counted, what is told, what it costs, and what a killed worker leaves."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from accounts.models import TrainingCertificate
from accounts.operators import deactivate_operator
from audit_log.actions import Action, ReasonCode
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from consent.history import access_history
from consent.models import DataCategory
from consent.narrowing import pause, stop_category
from consent.withdrawals import withdraw
from emotion import claims, cohort_counting
from emotion.claims import Superseded
from emotion.claims import claim as claim_analysis
from emotion.cohort import BUDGET, COST, ask, left_of
from emotion.cohort_counting import (
    asker_again,
    claim,
    count,
    forgotten,
    release,
    requeue_cohorts,
    run_cohort,
)
from emotion.cohort_questions import QUESTIONS
from emotion.disputes import dispute
from emotion.errors import CohortBudgetSpent
from emotion.inference.expressions import expression_pack
from emotion.inference.film_results import film_parts
from emotion.inference.markers import Markers
from emotion.models import (
    Analysis,
    CohortAnswer,
    CohortBudget,
    CohortQuestion,
    CohortState,
    Recording,
)
from emotion.saving import save_results
from emotion.worker_gate import consented_categories
from tests.at_once import at_once
from tests.browser.test_pages import blank
from tests.cast import PHOTO, Person, Study, analysed, consenting, text_of, upload
from tests.emotion.inference.acted import sampled, unread
from tests.emotion.test_films import MEASURED, done, film_study, short
from tests.faults.harm import restart_server
from vault import cache

pytestmark = pytest.mark.usefixtures("fresh_db")
WHY = ReasonCode.STUDY_ANALYSIS


def read(study: Study, person: Person, top: str | None) -> Recording:
    """A photograph of the person in which this expression was read; sealed as a worker seals it."""
    upload(study.key(), person.reference, study.purpose.id, blank())
    held = claim_analysis(Analysis.objects.latest("queued_at").id)
    assert held is not None
    part = {"top": top, "abstained": top is None, "indices": {"valence_index": {"value": 0.9}}}
    chosen = consented_categories(held.recording)
    save_results(held, {"summary": {"status": "read"}, "expression": part}, chosen)
    return held.recording


def group(study: Study, *tops: str | None) -> list[Person]:
    people = [consenting(study, f"P-{number}") for number in range(len(tops))]
    for person, top in zip(people, tops, strict=True):
        read(study, person, top)
    return people


def asked(study: Study, question: CohortQuestion = CohortQuestion.EXPRESSION) -> CohortAnswer:
    return ask(study.researcher.actor, study.purpose.id, question, WHY)


def truth(study: Study, question: CohortQuestion = CohortQuestion.EXPRESSION) -> dict[str, int]:
    """What a worker has counted before it adds noise."""
    held = claim(asked(study, question).id)
    assert held is not None
    return dict(count(held, asker_again(held)))


def entries(*actions: Action) -> list[LogEntry]:
    integrate_once()
    return list(LogEntry.objects.filter(action__in=actions).order_by("index"))


def test_each_person_is_counted_once_by_the_newest_result(study: Study) -> None:
    people = group(study, "happy", "happy", "sad", None)
    read(study, people[0], "sad")
    read(study, people[0], "angry")
    assert truth(study) == {"happy": 1, "sad": 1, "angry": 1, "untold": 1}


def test_another_question_is_answered_from_the_same_results(study: Study) -> None:
    group(study, "happy", None)
    assert truth(study, CohortQuestion.VALENCE) == {"positive": 1, "untold": 1}


def test_whoever_the_gate_refuses_is_not_counted(study: Study) -> None:
    people = group(study, "happy", "sad", "angry", "fear", "surprise")
    withdraw(people[0].actor, people[0].subject, study.purpose)
    pause(people[1].actor, people[1].subject, study.purpose)
    stop_category(people[2].actor, people[2].subject, study.purpose, DataCategory.EXPRESSION)
    recording = Recording.objects.get(subject=people[3].subject)
    dispute(people[3].actor, recording.id)
    assert truth(study) == {"surprise": 1}


def test_a_withdrawal_while_it_is_counted_comes_in_time(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    people, real = group(study, "happy", "sad"), cohort_counting.group_of

    def one_leaves(*args: Any) -> str:
        withdraw(people[1].actor, people[1].subject, study.purpose)
        return real(*args)

    monkeypatch.setattr(cohort_counting, "group_of", one_leaves)
    assert truth(study) == {"happy": 1}


def test_an_answer_is_not_the_truth_and_not_far_from_it(study: Study) -> None:
    """Ten answers, one a month: all that a purpose has."""
    group(study, "happy", "happy", "sad")
    told: list[dict[str, int]] = []
    for month in range(10):
        with time_machine.travel(timezone.now() + timedelta(days=31 * month), tick=False):
            row = asked(study)
            run_cohort(row.id)
            row.refresh_from_db()
            assert row.state == CohortState.ANSWERED
            told.append(row.counts)
    noise = [
        counts[name] - {"happy": 2, "sad": 1}.get(name, 0) for counts in told for name in counts
    ]
    assert len(noise) == 80
    assert 30 < sum(each != 0 for each in noise) < 80  # 0.755 of 80 are 60
    assert abs(sum(noise) / 80) < 2.5  # eight standard deviations of the mean
    assert max(map(abs, noise)) < 60
    with time_machine.travel(timezone.now() + timedelta(days=31 * 10), tick=False):
        assert left_of(study.purpose.id).answers == 0
        with pytest.raises(CohortBudgetSpent):
            asked(study)
    assert CohortBudget.objects.get().spent == BUDGET
    assert len(entries(Action.COHORT_ASK, Action.COHORT_ANSWER)) == 20


def test_a_server_that_was_restarted_uses_up_no_try(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = asked(study)
    newest = cohort_counting.newest_results

    def restarting(held: CohortAnswer) -> Any:
        restart_server()
        return newest(held)

    with monkeypatch.context() as patched:
        patched.setattr(cohort_counting, "newest_results", restarting)
        patched.setattr(claims, "RELEASE_PAUSES", (0.0,))
        run_cohort(row.id)
    row.refresh_from_db()
    assert (row.state, row.tries) == (CohortState.QUEUED, 0)


def test_the_same_question_in_a_month_has_the_stored_answer(study: Study) -> None:
    people = group(study, "happy", "sad")
    first = asked(study)
    assert asked(study) == first, "while it is counted, too"
    run_cohort(first.id)
    first.refresh_from_db()
    read(study, people[0], "angry")
    again = asked(study)
    assert (again.id, again.counts) == (first.id, first.counts)
    run_cohort(first.id)
    first.refresh_from_db()
    assert first.counts == again.counts
    assert CohortBudget.objects.get().spent == COST
    assert len(entries(Action.COHORT_ASK)) == 1


def test_who_ask_at_once_share_one_answer(study: Study) -> None:
    rows: list[CohortAnswer] = []
    at_once(*[lambda: rows.append(asked(study))] * 4)
    assert len(rows) == 4
    assert len({row.id for row in rows}) == 1
    assert len(entries(Action.COHORT_ASK)) == 1


def test_the_last_answer_is_given_once(study: Study) -> None:
    """Two questions at once, and the budget has room for one."""
    CohortBudget.objects.create(purpose=study.purpose, spent=BUDGET - COST)
    refused: list[CohortBudgetSpent] = []

    def try_to(question: CohortQuestion) -> None:
        try:
            asked(study, question)
        except CohortBudgetSpent as error:
            refused.append(error)

    at_once(*[partial(try_to, each) for each in CohortQuestion])
    assert len(refused) == 2
    assert CohortAnswer.objects.count() == 1


def test_each_person_finds_it_in_their_list(study: Study) -> None:
    [person] = group(study, "happy")
    run_cohort(asked(study).id)
    [entry] = entries(Action.RESULT_COUNT)
    assert (entry.actor, entry.reason) == (study.researcher.actor.log_name(), WHY)
    [line] = [each for each in access_history(person.subject, 100) if "counted" in str(each.what)]
    assert str(line.why) == "analysis for the study"
    assert not line.is_look, "nobody has seen it"


def test_nobody_sees_a_result_so_no_training_is_needed(study: Study) -> None:
    group(study, "happy")
    TrainingCertificate.objects.update(valid_until=timezone.now() - timedelta(days=1))
    assert truth(study) == {"happy": 1}


def test_of_whoever_may_ask_no_more_nothing_is_answered(study: Study) -> None:
    group(study, "happy")
    row = asked(study)
    deactivate_operator(study.administrator.actor, study.researcher.user.id)
    run_cohort(row.id)
    row.refresh_from_db()
    assert (row.state, row.counts) == (CohortState.REFUSED, None)
    assert left_of(study.purpose.id).answers == 10
    assert not entries(Action.RESULT_COUNT)
    assert [entry.outcome for entry in entries(Action.COHORT_FAIL)] == ["refused"]


def test_a_budget_that_was_spent_meanwhile_is_not_overdrawn(study: Study) -> None:
    """Where a backup was put back and the log told what had been answered."""
    row = asked(study)
    CohortBudget.objects.update(spent=BUDGET)
    run_cohort(row.id)
    row.refresh_from_db()
    assert (row.state, row.counts) == (CohortState.REFUSED, None)
    assert CohortBudget.objects.get().spent == BUDGET


def test_what_a_killed_worker_began_is_counted_by_the_next(study: Study) -> None:
    group(study, "happy", "sad")
    row = asked(study)
    killed = claim(row.id)
    assert killed is not None
    counts = count(killed, asker_again(killed))
    assert claim(row.id) is None
    assert not forgotten().exists()
    CohortAnswer.objects.update(lease_until=timezone.now() - timedelta(days=1))
    assert forgotten().get() == row
    run_cohort(row.id)
    with pytest.raises(Superseded):
        release(killed, counts)
    assert CohortBudget.objects.get().spent == COST
    assert len(entries(Action.COHORT_ANSWER)) == 1


def test_a_question_without_its_message_is_found(study: Study) -> None:
    row = asked(study)
    assert not forgotten().exists()
    CohortAnswer.objects.update(asked_at=timezone.now() - timedelta(seconds=16))
    assert forgotten().get() == row


def test_what_kills_three_workers_is_given_up(study: Study) -> None:
    row = asked(study)
    for _try in range(3):
        assert claim(row.id) is not None
        CohortAnswer.objects.update(lease_until=timezone.now() - timedelta(days=1))
    assert claim(row.id) is None
    requeue_cohorts()
    row.refresh_from_db()
    assert row.state == CohortState.FAILED
    assert [entry.outcome for entry in entries(Action.COHORT_FAIL)] == ["failed"]
    assert left_of(study.purpose.id).answers == 10
    assert asked(study).id != row.id, "it may be asked again"


def test_a_fault_of_the_installation_uses_no_try(study: Study) -> None:
    group(study, "happy")
    row, epochs = asked(study), settings.KEYS_DIR / "epochs"
    epochs.rename(settings.KEYS_DIR / "elsewhere")
    cache.opened.clear()
    run_cohort(row.id)
    row.refresh_from_db()
    assert (row.state, row.tries, row.counts) == (CohortState.QUEUED, 0, None)
    (settings.KEYS_DIR / "elsewhere").rename(epochs)
    run_cohort(row.id)
    row.refresh_from_db()
    assert row.state == CohortState.QUEUED, "it waits before it is tried again"
    CohortAnswer.objects.update(lease_until=timezone.now() - timedelta(days=1))
    assert forgotten().get() == row
    run_cohort(row.id)
    row.refresh_from_db()
    assert row.state == CohortState.ANSWERED


def test_a_real_worker_counts_what_was_really_read(study: Study, worker: object) -> None:
    consenting(study)
    analysed(study, photo=PHOTO.read_bytes())
    browser = study.researcher.sign_in()
    page = reverse("operate_cohort", args=[study.purpose.id])
    answer = browser.post(page, {"question": "expression", "reason": WHY.value})
    assert (answer.status_code, answer["Location"]) == (302, page)
    deadline = timezone.now() + timedelta(seconds=60)
    while CohortAnswer.objects.get().state != CohortState.ANSWERED:
        assert timezone.now() < deadline
    assert set(CohortAnswer.objects.get().counts) >= {"happy", "sad", "untold"}
    assert len(entries(Action.RESULT_COUNT)) == 1


def answered(study: Study, **counts: int) -> CohortAnswer:
    """An answer as it is stored, noise and all."""
    row = asked(study)
    names = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral", "untold")
    told = dict.fromkeys(names, 0) | counts
    CohortAnswer.objects.filter(pk=row.pk).update(
        state=CohortState.ANSWERED, counts=told, answered_at=timezone.now()
    )
    return row


def test_the_page_tells_numbers_with_how_far_off_they_are(study: Study) -> None:
    answered(study, happy=1234, sad=3, fear=-4)
    page = reverse("operate_cohort", args=[study.purpose.id])
    said = text_of(study.researcher.sign_in().get(page))
    for words in ("happy 1,234 1,228 and 1,240", "sad 3 0 and 9", "fearful 0 0 and 2"):
        assert words in said, said
    assert "within 6 people of the truth" in said
    assert "10 more answers can be given" in said


def test_of_a_small_group_nothing_is_shown(study: Study) -> None:
    answered(study, happy=19)
    page = reverse("operate_cohort", args=[study.purpose.id])
    said = text_of(study.researcher.sign_in().get(page))
    assert "Too few people to say anything" in said
    assert "19" not in said.split("Answers", 1)[1].split("Ask", 1)[0]


def test_what_is_wrong_with_a_question_is_said(study: Study) -> None:
    page = reverse("operate_cohort", args=[study.purpose.id])
    browser = study.researcher.sign_in()
    answer = browser.post(page, {"question": "age", "reason": WHY.value})
    assert answer.status_code == 422
    assert "Choose one of the questions listed; another one came." in text_of(answer)
    CohortBudget.objects.create(purpose=study.purpose, spent=BUDGET)
    answer = browser.post(page, {"question": "expression", "reason": WHY.value})
    assert answer.status_code == 409
    assert "As much has been told about this group" in text_of(answer)
    assert not CohortAnswer.objects.exists()
    assert "The answers stay." in text_of(browser.get(page))


@pytest.mark.parametrize(
    ("question", "told"),
    [
        (CohortQuestion.EXPRESSION, "happy"),
        (CohortQuestion.VALENCE, "positive"),
        (CohortQuestion.SMILE, "untold"),
    ],
)
def test_a_film_counts_by_what_it_showed_as_a_whole(question: CohortQuestion, told: str) -> None:
    """As it was really measured: the face smiles from the first picture on, so no onset was seen."""
    categories = [*MEASURED, DataCategory.SMILE_MARKER]
    study = film_study(categories=categories)
    consenting(study, categories=categories)
    done(study, short())
    assert truth(study, question) == {told: 1}


@pytest.mark.parametrize(
    ("smiles", "verdicts", "told"),
    [
        (0, {}, "none"),
        (2, {"duchenne-like": 1, "cannot-tell": 1}, "duchenne-like"),
        (2, {"not": 2}, "not"),
        (2, {"not": 1, "cannot-tell": 1}, "untold"),
        (1, {"cannot-tell": 1}, "untold"),
        (None, {}, "untold"),
    ],
)
def test_smiles_are_counted_by_the_surest_thing_to_say(
    smiles: int | None, verdicts: dict[str, int], told: str
) -> None:
    figures = {"smiles": {"value": smiles}, "markers": {"value": None, "by_verdict": verdicts}}
    question = QUESTIONS[CohortQuestion.SMILE]
    assert question.group_of({"figures": figures}) == told
    assert told in question.groups


@pytest.mark.parametrize(
    ("happy", "sad", "none", "told"),
    [
        (3, 1, 2, "happy"),
        (1, 3, 3, "sad"),
        (3, 1, 4, "untold"),
        (0, 0, 4, "untold"),
        (None, None, None, "untold"),
    ],
)
def test_a_film_counts_as_untold_where_that_was_so_for_longest(
    happy: int | None, sad: int | None, none: int | None, told: str
) -> None:
    figures = {"happy_foremost": happy, "sad_foremost": sad, "untold": none}
    film = {"figures": {name: {"value": value} for name, value in figures.items()}}
    assert QUESTIONS[CohortQuestion.EXPRESSION].group_of(film) == told


def test_a_film_of_which_nothing_was_read_counts_as_untold() -> None:
    series = unread(sampled(20, 10))
    parts = film_parts(series, {}, expression_pack(), Markers([]))
    for question, category in (
        (CohortQuestion.EXPRESSION, "expression"),
        (CohortQuestion.VALENCE, "expression"),
        (CohortQuestion.SMILE, "smile-marker"),
    ):
        assert QUESTIONS[question].group_of(parts[category]) == "untold"


def test_a_photograph_shows_no_onset() -> None:
    assert QUESTIONS[CohortQuestion.SMILE].group_of({"verdict": "cannot-tell"}) == "untold"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (-1, "negative"),
        (-0.34, "negative"),
        (-0.33, "between"),
        (0.33, "between"),
        (0.34, "positive"),
    ],
)
def test_the_valence_index_is_cut_into_three_equal_parts(value: float, told: str) -> None:
    film = {"figures": {"valence_index_mean": {"value": value}}}
    photograph = {"abstained": False, "indices": {"valence_index": {"value": value}}}
    for part in (film, photograph):
        assert QUESTIONS[CohortQuestion.VALENCE].group_of(part) == told
