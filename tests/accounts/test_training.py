"""Operators' training: without a valid certificate no result and no picture of a person opens."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone

from accounts.actors import SYSTEM_SETUP
from accounts.errors import InvalidCertificate, UnknownCertificate, UnknownOperator
from accounts.models import Role, TrainingCertificate
from accounts.training import certificates_of, record_certificate, withdraw_certificate
from audit_log.actions import Action, Outcome
from audit_log.receipts import waiting_entries
from consent.errors import ConsentRefused
from emotion.models import Analysis
from emotion.photographs import open_photograph
from emotion.results import read_result
from tests.cast import Operator, Study, analysed, consenting, open_study, operator

REASON = "quality-check"


@pytest.fixture(autouse=True)
def whole_product(pages: None, settings: Any) -> None:
    """The addresses of the whole product, not those of this folder's other tests."""
    settings.ROOT_URLCONF = "config.urls"


@pytest.fixture
def study() -> Study:
    return open_study(keep_media=True)


def one_result(study: Study) -> Analysis:
    consenting(study)
    return analysed(study)


def untrain(who: Operator) -> None:
    for certificate in certificates_of(who.user.id):
        withdraw_certificate(SYSTEM_SETUP, certificate.id)


def written(action: Action, outcome: Outcome = Outcome.OK) -> int:
    drafts = [entry.draft for entry in waiting_entries()]
    return sum(draft.action is action and draft.outcome is outcome for draft in drafts)


def refused(analysis: Analysis, who: Operator) -> set[str]:
    """Why neither the result nor the photograph opens for somebody."""
    with pytest.raises(ConsentRefused) as result:
        read_result(who.actor, analysis.id, REASON)
    with pytest.raises(ConsentRefused) as photograph:
        open_photograph(who.actor, analysis.recording_id, REASON)
    return {result.value.reason.value, photograph.value.reason.value}


def test_a_withdrawn_certificate_closes_the_door_and_a_new_one_opens_it(study: Study) -> None:
    analysis = one_result(study)
    assert read_result(study.researcher.actor, analysis.id, REASON).parts
    untrain(study.researcher)
    reads = written(Action.RESULT_READ)
    assert refused(analysis, study.researcher) == {"training-missing"}
    assert written(Action.RESULT_READ) == reads, "nothing was opened"
    assert written(Action.RESULT_READ, Outcome.REFUSED) == 1, "the person sees the attempt"
    record_certificate(
        study.officer.actor,
        study.researcher.user.id,
        title="Reading results",
        valid_until=timezone.now() + timedelta(days=1),
    )
    assert read_result(study.researcher.actor, analysis.id, REASON).parts
    assert open_photograph(study.researcher.actor, analysis.recording_id, REASON)


def test_a_certificate_ends_by_itself(study: Study) -> None:
    analysis = one_result(study)
    untrain(study.researcher)
    end = timezone.now() + timedelta(hours=1)
    record_certificate(
        study.officer.actor, study.researcher.user.id, title="Course", valid_until=end
    )
    with time_machine.travel(end - timedelta(seconds=1), tick=False):
        assert read_result(study.researcher.actor, analysis.id, REASON).parts
    with time_machine.travel(end, tick=False):
        assert refused(analysis, study.researcher) == {"training-missing"}


def test_the_training_of_one_opens_nothing_for_another(study: Study) -> None:
    analysis = one_result(study)
    untrain(study.administrator)
    with pytest.raises(ConsentRefused) as caught:
        read_result(study.administrator.actor, analysis.id, REASON)
    assert caught.value.reason == "training-missing"
    assert read_result(study.researcher.actor, analysis.id, REASON).parts


def test_nobody_vouches_for_themselves_nor_without_end(study: Study) -> None:
    officer, other = study.officer, study.researcher.user.id
    soon = timezone.now() + timedelta(days=30)
    before = TrainingCertificate.objects.count()
    for operator_id, title, end in (
        (officer.user.id, "Course", soon),
        (other, "  ", soon),
        (other, "Course", timezone.now()),
        (other, "Course", timezone.now() + timedelta(days=733)),
    ):
        with pytest.raises(InvalidCertificate):
            record_certificate(officer.actor, operator_id, title=title, valid_until=end)
    with pytest.raises(UnknownOperator):
        record_certificate(officer.actor, uuid4(), title="Course", valid_until=soon)
    with pytest.raises(UnknownCertificate):
        withdraw_certificate(officer.actor, uuid4())
    assert TrainingCertificate.objects.count() == before


def test_withdrawing_twice_is_one_entry(study: Study) -> None:
    certificate = certificates_of(study.researcher.user.id).get()
    before = written(Action.TRAINING_WITHDRAW)
    first = withdraw_certificate(study.officer.actor, certificate.id).withdrawn_at
    assert withdraw_certificate(study.officer.actor, certificate.id).withdrawn_at == first
    assert written(Action.TRAINING_WITHDRAW) == before + 1


def test_the_pages_from_no_training_to_a_result(study: Study) -> None:
    analysis = one_result(study)
    untrain(study.researcher)
    reader, officer = study.researcher.sign_in(), study.officer.sign_in()
    door = reverse("operate_result", args=[analysis.id])
    assert "Your training is not valid" in reader.get(reverse("operate_home")).text
    closed = reader.get(door)
    assert "Your training is not valid" in closed.text
    assert 'name="reason"' not in closed.text
    # Whoever sends the form all the same meets the gate.
    assert reader.post(door, {"reason": REASON}).status_code == 422

    listed = officer.get(reverse("operate_training")).text
    page = reverse("operate_operator_training", args=[study.researcher.user.id])
    assert page in listed
    wrong = officer.post(page, {"title": "Course", "last_day": "2020-01-01"})
    assert wrong.status_code == 422
    assert "within two years" in wrong.text
    last_day = timezone.localdate() + timedelta(days=10)
    assert officer.post(page, {"title": "Course", "last_day": last_day}).status_code == 302
    newest = certificates_of(study.researcher.user.id)[0]
    assert timezone.localtime(newest.valid_until).date() == last_day
    assert newest.recorded_by == study.officer.user
    opened = reader.post(door, {"reason": REASON})
    assert opened.status_code == 200

    assert "Course" in officer.get(page).text
    officer.post(reverse("operate_certificate_withdraw", args=[newest.id]))
    assert reader.post(door, {"reason": REASON}).status_code == 422


def test_ones_own_page_has_no_form_and_the_gate_of_the_flow_holds(study: Study) -> None:
    officer = study.officer.sign_in()
    page = reverse("operate_operator_training", args=[study.officer.user.id])
    assert 'name="title"' not in officer.get(page).text
    tomorrow: date = timezone.localdate() + timedelta(days=1)
    answer = officer.post(page, {"title": "Course", "last_day": tomorrow})
    assert answer.status_code == 422
    assert certificates_of(study.officer.user.id).count() == 1, "the one from before"


def test_a_researcher_vouches_for_nobody(study: Study) -> None:
    reader, other = study.researcher.sign_in(), operator(Role.RESEARCHER)
    pages = [
        reverse("operate_training"),
        reverse("operate_operator_training", args=[other.user.id]),
    ]
    assert [reader.get(page).status_code for page in pages] == [404, 404]
    certificate = certificates_of(other.user.id).get()
    withdraw = reverse("operate_certificate_withdraw", args=[certificate.id])
    assert reader.post(withdraw).status_code == 404
    assert certificates_of(other.user.id).get().withdrawn_at is None
