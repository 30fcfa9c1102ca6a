"""Stopping one data category, pausing, and saying yes again: the walks of the person's pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.urls import reverse
from django.utils import timezone

from audit_log.actions import Action
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from consent.after_restore import pause_all
from consent.models import ConsentEvent, ConsentState, ErasureRequest
from consent.narrowing import pause, resume, stop_category
from consent.notices import Change, publish_notice
from consent.withdrawals import withdraw
from emotion import analyses, saving
from emotion.analyses import run_analysis
from emotion.erasure import drain
from emotion.models import MAX_TRIES, Analysis
from emotion.sweeping import requeue_stale, take_up_paused
from tests.cast import (
    NOTICE,
    PHOTO,
    Person,
    Study,
    api_get,
    consent,
    given_up,
    open_study,
    text_of,
    upload,
)
from tests.faults.leftovers import living_keys
from vault.keyring import data_key_ids

pytestmark = pytest.mark.usefixtures("fresh_db")


@pytest.fixture
def study() -> Study:
    return open_study(keep_media=True)


@pytest.fixture
def key(study: Study) -> str:
    return study.key()


def analysed(study: Study, key: str) -> Analysis:
    answer = upload(key, "P-001", study.purpose.id, PHOTO.read_bytes())
    assert answer.status_code == 202, answer.content
    row = Analysis.objects.get(pk=answer.json()["analyses"][0]["id"])
    run_analysis(row.id)
    row.refresh_from_db()
    return row


def press(person: Person, study: Study, step: str) -> Any:
    """Press one button of the page; it must be there."""
    address = reverse("consent_change", args=[study.purpose.id])
    page = person.browser.get(address)
    assert f'value="{step}"' in page.content.decode(), f"no button {step}"
    return person.browser.post(address, {"step": step}, follow=True)


def title(person: Person, erasure: ErasureRequest) -> str:
    page = person.browser.get(reverse("erasure", args=[erasure.id]))
    found = BeautifulSoup(page.content, "html.parser").title
    return " ".join(found.text.split()) if found else ""


def parts(key: str, row: Analysis) -> set[str]:
    answer = api_get(key, "api_result", row.id, Access_Reason="quality-check")
    assert answer.status_code == 200, answer.content
    return set(answer.json()["parts"])


def kinds(person: Person) -> list[str]:
    events = ConsentEvent.objects.filter(subject=person.subject).order_by("sequence")
    return [event.kind for event in events if event.kind != "notice-shown"]


def test_stopping_one_category_erases_it_and_the_rest_goes_on(
    study: Study, person: Person, key: str
) -> None:
    row = analysed(study, key)
    assert parts(key, row) == {"summary", "expression", "blendshapes"}
    before = data_key_ids(subject_id=person.subject.id, category="blendshapes")
    assert len(before) == 1
    told = press(person, study, "stop:blendshapes")
    assert "Stopped." in told.content.decode()
    assert not data_key_ids(subject_id=person.subject.id, category="blendshapes")
    assert parts(key, row) == {"summary", "expression"}
    drain()
    row.refresh_from_db()
    assert set(row.results.values_list("category", flat=True)) == {"summary", "expression"}
    assert "blendshapes" not in row.categories
    assert parts(key, analysed(study, key)) == {"summary", "expression"}
    assert kinds(person)[-2:] == ["given", "narrowed"]
    (erasure,) = ErasureRequest.objects.filter(only_key=None)
    assert (erasure.cause, erasure.category, len(erasure.key_ids)) == ("narrowed", "blendshapes", 1)
    assert title(person, erasure) == "Erasure in “Story study”"
    integrate_once()
    looked = text_of(person.browser.get(reverse("access_history")))
    assert "your withdrawal" not in looked
    assert "a part that you stopped" in looked
    gone = withdraw(person.actor, person.subject, study.purpose)
    assert title(person, gone) == "Withdrawn · Story study"


def test_a_category_that_a_new_yes_leaves_out_is_erased(
    study: Study, person: Person, key: str
) -> None:
    row = analysed(study, key)
    consent(person, study.purpose, ["media", "blendshapes"])
    drain()
    assert parts(key, row) == {"summary", "blendshapes"}
    assert not data_key_ids(subject_id=person.subject.id, category="expression")
    assert kinds(person)[-1] == "renewed"
    consent(person, study.purpose, ["media", "blendshapes"])
    assert kinds(person)[-1] == "re-affirmed"
    assert ErasureRequest.objects.filter(only_key=None).count() == 1


def test_what_a_choice_would_erase_is_said_before_and_nothing_is_saved(
    study: Study, person: Person, key: str
) -> None:
    """Only a second button erases, and only what the page named; back are all ticks as they were."""
    row = analysed(study, key)
    address = reverse("consent_notice", args=[study.purpose.id])
    page = person.browser.get(address).content.decode()
    assert page.count("now: yes") == 3
    assert "checked" not in page
    form = {"notice": str(study.purpose.notices.get().id), "categories": ["media", "blendshapes"]}
    asked = person.browser.post(address, form | {"decision": "give"})
    assert asked.status_code == 422
    assert "You said yes to “Apparent expression” before." in asked.content.decode()
    assert given_up(asked) == ["expression"]
    assert kinds(person)[-1] == "given"
    other = person.browser.post(address, form | {"decision": "give", "gives_up": ["blendshapes"]})
    assert (other.status_code, given_up(other)) == (422, ["expression"])
    back = person.browser.post(address, form | {"decision": "again", "gives_up": ["expression"]})
    assert re.findall(r'value="([a-z-]+)" checked', back.content.decode()) == form["categories"]
    assert ConsentState.objects.get().categories == ["media", "expression", "blendshapes"]
    assert parts(key, row) == {"summary", "expression", "blendshapes"}
    assert not ErasureRequest.objects.filter(only_key=None).exists()
    erased = {"decision": "give", "gives_up": ["expression"]}
    done = person.browser.post(address, form | erased, follow=True).content.decode()
    assert "Being erased" in done
    assert ErasureRequest.objects.get(only_key=None).category == "expression"


def test_another_part_is_added_and_nothing_else_changes(
    study: Study, person: Person, key: str
) -> None:
    press(person, study, "stop:expression")
    drain()
    row = analysed(study, key)
    press(person, study, "pause")
    before = ConsentState.objects.get()
    told = press(person, study, "add:expression")
    assert "You said yes to it." in told.content.decode()
    after = ConsentState.objects.get()
    assert after.categories == ["media", "expression", "blendshapes"]
    assert (after.valid_until, after.restricted_at) == (before.valid_until, before.restricted_at)
    assert kinds(person)[-1] == "renewed"
    assert ErasureRequest.objects.filter(only_key=None, category="blendshapes").count() == 0
    press(person, study, "resume")
    assert parts(key, row) == {"summary", "blendshapes"}, "measured before: what was agreed to then"
    assert parts(key, analysed(study, key)) == {"summary", "expression", "blendshapes"}
    again = reverse("consent_change", args=[study.purpose.id])
    person.browser.post(again, {"step": "add:expression"})
    person.browser.post(again, {"step": "add:gaze"})
    assert ConsentState.objects.get().version == after.version + 1, "only the pause ended since"
    integrate_once()
    assert LogEntry.objects.filter(action=Action.CONSENT_GIVE).count() == 2


def test_under_a_newer_notice_another_part_is_chosen_beside_it(
    study: Study, person: Person
) -> None:
    press(person, study, "stop:expression")
    drain()
    publish_notice(study.administrator.actor, study.purpose, NOTICE, Change({"en": "New."}, True))
    address = reverse("consent_change", args=[study.purpose.id])
    assert "add:expression" not in person.browser.get(address).content.decode()
    page = person.browser.post(address, {"step": "add:expression"}, follow=True)
    assert "The privacy notice has changed" in page.content.decode()
    assert ConsentState.objects.get().categories == ["media", "blendshapes"]


def test_the_photographs_cannot_be_stopped_alone(study: Study, person: Person) -> None:
    address = reverse("consent_change", args=[study.purpose.id])
    page = person.browser.post(address, {"step": "stop:media"}, follow=True)
    assert "withdraw from the study instead" in page.content.decode()
    assert ConsentState.objects.get().categories == ["media", "expression", "blendshapes"]


def test_a_pause_keeps_everything_and_lets_only_the_person_read(
    study: Study, person: Person, key: str
) -> None:
    row = analysed(study, key)
    keys = living_keys(person.subject)
    press(person, study, "pause")
    told = api_get(key, "api_result", row.id, Access_Reason="quality-check")
    assert (told.status_code, told.json()["code"]) == (403, "processing-restricted")
    refused = upload(key, "P-001", study.purpose.id, PHOTO.read_bytes())
    assert (refused.status_code, refused.json()["code"]) == (403, "processing-restricted")
    desk = study.researcher.sign_in().post(
        reverse("operate_result", args=[row.id]), {"reason": "quality-check"}
    )
    assert desk.status_code == 422
    assert person.browser.get(reverse("own_result", args=[row.id])).status_code == 200
    own = reverse("own_photograph", args=[row.recording_id])
    assert person.browser.get(own).status_code == 200
    assert living_keys(person.subject) == keys
    assert "You paused it" in person.browser.get(reverse("subject_home")).content.decode()
    press(person, study, "resume")
    assert parts(key, row) == {"summary", "expression", "blendshapes"}
    assert kinds(person)[-2:] == ["restricted", "resumed"]
    integrate_once()
    done = set(LogEntry.objects.values_list("action", flat=True))
    assert {Action.CONSENT_RESTRICT, Action.CONSENT_RESUME} <= done


def test_stopping_a_part_leaves_the_pause(study: Study, person: Person, key: str) -> None:
    row = analysed(study, key)
    press(person, study, "pause")
    press(person, study, "stop:expression")
    told = api_get(key, "api_result", row.id, Access_Reason="quality-check")
    assert (told.status_code, told.json()["code"]) == (403, "processing-restricted")


def test_a_yes_leaves_the_pause_and_the_pages_say_so(
    study: Study, person: Person, key: str
) -> None:
    press(person, study, "pause")
    address = reverse("consent_notice", args=[study.purpose.id])
    assert "a yes does not end the pause" in text_of(person.browser.get(address))
    for chosen in (None, ["media", "expression"]):
        consent(person, study.purpose, chosen)
        assert ConsentState.objects.get().restricted_at is not None
    done = person.browser.get(reverse("consent_done", args=[study.purpose.id]))
    assert "a yes does not end the pause" in text_of(done)
    assert reverse("upload", args=[study.purpose.id]) not in done.content.decode()
    refused = upload(key, "P-001", study.purpose.id, PHOTO.read_bytes())
    assert (refused.status_code, refused.json()["code"]) == (403, "processing-restricted")
    press(person, study, "resume")
    assert kinds(person)[-4:] == ["restricted", "re-affirmed", "renewed", "resumed"]
    assert "does not end the pause" not in text_of(person.browser.get(address))


def test_a_pause_after_a_restore_is_not_called_the_persons_own(
    study: Study, person: Person
) -> None:
    assert pause_all() == 1
    integrate_once()
    pages = {
        name: text_of(person.browser.get(reverse(name, args=args)))
        for name, args in (
            ("subject_home", []),
            ("consent_history", [study.purpose.id]),
            ("access_history", []),
        )
    }
    for name, page in pages.items():
        assert "You paused" not in page, name
    assert "Paused: a backup was restored" in pages["subject_home"]
    assert "Let it go on, or change" in pages["subject_home"]
    after = "Paused by the installation after a backup was restored; let it go on if you like"
    assert after in pages["consent_history"]
    assert "The study was paused" in pages["access_history"]
    press(person, study, "resume")
    press(person, study, "pause")
    assert "You paused it" in text_of(person.browser.get(reverse("subject_home")))


def test_what_a_pause_stopped_goes_on_after_it(study: Study, person: Person, key: str) -> None:
    answer = upload(key, "P-001", study.purpose.id, PHOTO.read_bytes())
    row = Analysis.objects.get(pk=answer.json()["analyses"][0]["id"])
    press(person, study, "pause")
    run_analysis(row.id)
    row.refresh_from_db()
    assert (row.state, row.reason) == ("refused", "processing-restricted")
    assert take_up_paused() == 0
    press(person, study, "resume")
    assert take_up_paused() == 1
    run_analysis(row.id)
    assert parts(key, row) == {"summary", "expression", "blendshapes"}


def test_no_number_of_pauses_uses_up_the_tries(study: Study, person: Person, key: str) -> None:
    """Else the keeper would end the analysis as failed, and erase the photograph."""
    answer = upload(key, "P-001", study.purpose.id, PHOTO.read_bytes())
    row = Analysis.objects.get(pk=answer.json()["analyses"][0]["id"])
    for _time in range(MAX_TRIES + 1):
        pause(person.actor, person.subject, study.purpose)
        run_analysis(row.id)
        resume(person.actor, person.subject, study.purpose)
        assert take_up_paused() == 1
    Analysis.objects.update(queued_at=timezone.now() - timedelta(minutes=1))
    requeue_stale()
    row.refresh_from_db()
    assert (row.state, row.tries) == ("queued", 0)
    run_analysis(row.id)
    assert parts(key, row) == {"summary", "expression", "blendshapes"}


@pytest.mark.parametrize(
    ("place", "step"),
    [(analyses, "decode_photo"), (analyses, "analyse_photo"), (saving, "create_data_key")],
)
def test_a_category_stopped_during_the_work_is_not_measured(
    study: Study,
    person: Person,
    key: str,
    monkeypatch: pytest.MonkeyPatch,
    place: ModuleType,
    step: str,
) -> None:
    """The attempt under the old consent is given up, and the next one measures what is left."""
    answer = upload(key, "P-001", study.purpose.id, PHOTO.read_bytes())
    row = Analysis.objects.get(pk=answer.json()["analyses"][0]["id"])
    real: Callable[..., Any] = getattr(place, step)

    def stopped_before(*args: Any, **kwargs: Any) -> Any:
        stop_category(person.actor, person.subject, study.purpose, "expression")
        return real(*args, **kwargs)

    with monkeypatch.context() as during:
        during.setattr(place, step, stopped_before)
        run_analysis(row.id)
    row.refresh_from_db()
    assert (row.state, row.tries) == ("queued", 0), "it is not the recording's fault"
    assert not row.results.exists()
    run_analysis(row.id)
    assert parts(key, row) == {"summary", "blendshapes"}
    drain()
    assert len(living_keys(person.subject)) == 3  # the photograph, the summary, the movements


def test_the_consent_that_allows_stays_the_one_that_was_given(
    study: Study, person: Person, key: str
) -> None:
    given = ConsentEvent.objects.get(kind="given")
    press(person, study, "pause")
    press(person, study, "resume")
    assert ConsentState.objects.get().event_id == given.id


def test_a_paused_study_can_be_withdrawn_from(study: Study, person: Person, key: str) -> None:
    analysed(study, key)
    press(person, study, "pause")
    page = person.browser.post(reverse("consent_withdraw", args=[study.purpose.id]))
    assert page.status_code == 302
    assert not living_keys(person.subject)
    consent_page = person.browser.get(reverse("consent_change", args=[study.purpose.id]))
    assert consent_page.status_code == 302


def test_nothing_takes_more_than_one_button_and_no_field(study: Study, person: Person) -> None:
    page = person.browser.get(reverse("consent_change", args=[study.purpose.id]))
    forms = re.findall(r"<form[^>]*>(.*?)</form>", page.content.decode(), re.S)
    ours = [form for form in forms if 'name="step"' in form]
    assert len(ours) == 3  # pause, and the two categories that can go
    for form in ours:
        fields = re.findall(r"<(?:input|select|textarea)[^>]*>", form)
        assert [field for field in fields if 'type="hidden"' not in field] == []
        assert form.count("<button") == 1
