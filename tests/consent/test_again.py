"""Consenting again: to less, and after a withdrawal."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.urls import reverse

from consent.errors import InvalidChoice
from consent.giving import give_consent
from consent.models import ConsentEvent, ConsentState, ErasureRequest
from consent.retention import expire_consents
from consent.withdrawals import withdraw
from emotion.erasure import drain
from emotion.models import AnalysisState
from tests.cast import (
    CATEGORIES,
    CHILDREN,
    PHOTO,
    Person,
    Study,
    analysed,
    api_get,
    child_says,
    come_in,
    consenting,
    guardian_says,
    open_study,
    upload,
)
from vault.keyring import data_key_ids

pytestmark = pytest.mark.usefixtures("fresh_db")


def again(person: Person, study: Study, categories: list[str]) -> None:
    give_consent(
        person.actor,
        person.subject,
        study.purpose.notices.get(),
        categories,
        of_age=True if study.purpose.guardian_allowed else None,
        gives_up=CATEGORIES,
    )


def test_a_category_that_was_dropped_stays_closed() -> None:
    study = open_study()
    person = consenting(study)
    row = analysed(study)
    key = study.key()
    before = api_get(key, "api_result", row.id, Access_Reason="quality-check").json()["parts"]
    assert set(before) == {"summary", "expression", "blendshapes"}
    again(person, study, ["media", "blendshapes"])
    after = api_get(key, "api_result", row.id, Access_Reason="quality-check").json()["parts"]
    assert set(after) == {"summary", "blendshapes"}
    page = person.browser.get(reverse("own_result", args=[row.id])).content.decode()
    assert "Of seven expressions" not in page


def test_a_new_consent_waits_for_the_old_erasure() -> None:
    study = open_study()
    person = consenting(study)
    analysed(study)
    withdraw(person.actor, person.subject, study.purpose)
    with pytest.raises(InvalidChoice, match="still being erased"):
        again(person, study, ["media"])
    drain()
    again(person, study, ["media", "expression"])
    row = analysed(study)
    drain()
    row.refresh_from_db()
    assert row.state == AnalysisState.DONE
    answer = api_get(study.key(), "api_result", row.id, Access_Reason="quality-check")
    assert set(answer.json()["parts"]) == {"summary", "expression"}


@pytest.mark.parametrize("options", [{}, CHILDREN], ids=["the same person", "a child come of age"])
def test_a_yes_after_the_end_waits_for_the_erasure_of_the_old_data(options: dict[str, Any]) -> None:
    study = open_study(**options)
    person = come_in(study) if options else consenting(study)
    if options:
        assert guardian_says(person, study.purpose).status_code == 302
        assert child_says(person, study.purpose).status_code == 302
    assert upload(study.key(), "P-001", study.purpose.id, PHOTO.read_bytes()).status_code == 202
    assert data_key_ids(subject_id=person.subject.id, category="media")
    end = ConsentState.objects.get().valid_until
    assert end is not None
    with time_machine.travel(end + timedelta(seconds=1)):
        for ends in (expire_consents, drain):
            with pytest.raises(InvalidChoice, match="still being erased"):
                again(person, study, ["media", "expression"])
            assert ends() == 1
        again(person, study, ["media", "expression"])
    assert not data_key_ids(subject_id=person.subject.id, category="media")
    assert ErasureRequest.objects.get().cause == "retention"
    acts = ConsentEvent.objects.filter(kind__in=["given", "re-affirmed", "renewed", "expired"])
    kinds = list(acts.order_by("sequence").values_list("kind", flat=True))
    assert kinds == ["given", "expired", "given"]


def test_a_new_consent_does_not_bring_the_reference_back() -> None:
    study = open_study()
    person = consenting(study)
    withdraw(person.actor, person.subject, study.purpose)
    drain()
    again(person, study, ["media"])
    assert upload(study.key(), "P-001", study.purpose.id, PHOTO.read_bytes()).status_code == 202
    asked = reverse("operate_identity", args=[study.purpose.id, person.subject.id])
    page = study.administrator.sign_in().post(asked, {"reason": "subject-request"})
    assert page.status_code == 410
    assert "P-001" not in page.content.decode()


def test_whoever_consented_can_be_let_in_again_to_withdraw() -> None:
    study = open_study()
    person = consenting(study)
    administrator = study.administrator.sign_in()
    both = [study.purpose.id, person.subject.id]
    card = administrator.post(reverse("operate_invitation_card", args=both))
    assert card.status_code == 200
    link = card.content.decode().split('id="invitation-link">')[1].split("<")[0]
    person.browser.cookies.clear()
    path = link.removeprefix("http://testserver")
    assert person.browser.post(path).status_code == 302
    gone = person.browser.post(reverse("consent_withdraw", args=[study.purpose.id]))
    assert gone.status_code == 302
    assert person.subject.consent_states.get().status == "withdrawn"
