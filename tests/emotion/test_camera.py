"""The camera's door: what it records is shown and in the log before any page may open it."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from audit_log.actions import Action, Outcome
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from consent.invitations import create_invitation
from consent.withdrawals import withdraw
from emotion.camera_views import OPEN_FOR
from tests.cast import Person, Study, consent, open_study
from vault.tags import tagger

pytestmark = pytest.mark.usefixtures("fresh_db")
SHUT = "camera=()"
OPEN = "camera=(self)"


def shown() -> list[LogEntry]:
    integrate_once()
    return list(LogEntry.objects.filter(action=Action.CAMERA_ALLOW).order_by("index"))


def policy(browser: Client, name: str, study: Study) -> str:
    """What a page lets the browser open; empty when it leads elsewhere."""
    page = browser.get(reverse(name, args=[study.purpose.id]))
    return page.headers["Permissions-Policy"] if page.status_code == 200 else ""


def test_only_a_shown_notice_opens_the_camera(study: Study, person: Person) -> None:
    address = reverse("camera", args=[study.purpose.id])
    opened = reverse("camera_open", args=[study.purpose.id])
    assert policy(person.browser, "camera", study).startswith(SHUT)
    assert person.browser.get(opened)["Location"] == address
    assert shown() == []

    assert person.browser.post(address)["Location"] == opened
    assert policy(person.browser, "camera_open", study).startswith(OPEN)
    assert policy(person.browser, "camera", study).startswith(SHUT)
    assert policy(person.browser, "upload", study).startswith(SHUT)
    [entry] = shown()
    tags = tagger(person.subject.id, study.purpose.id)
    assert entry.outcome == Outcome.OK
    assert bytes(entry.subject_tag) == tags.subject()
    assert entry.purpose_id == study.purpose.id
    history = person.browser.get(reverse("access_history")).content.decode()
    assert "You were shown what the camera records" in history


def test_what_was_shown_is_forgotten(study: Study, person: Person) -> None:
    person.browser.post(reverse("camera", args=[study.purpose.id]))
    with time_machine.travel(timezone.now() + OPEN_FOR - timedelta(minutes=1)):
        assert policy(person.browser, "camera_open", study).startswith(OPEN)
    with time_machine.travel(timezone.now() + OPEN_FOR + timedelta(minutes=1)):
        assert policy(person.browser, "camera_open", study) == ""


def test_what_was_shown_for_one_study_opens_nothing_for_another(
    study: Study, person: Person
) -> None:
    other = open_study()
    token = create_invitation(
        other.administrator.actor, person.subject, other.purpose, show_to_operator=False
    )
    person.browser.post(reverse("invitation", args=[token]))
    consent(person, other.purpose)
    person.browser.post(reverse("camera", args=[study.purpose.id]))
    assert policy(person.browser, "camera_open", study).startswith(OPEN)
    assert policy(person.browser, "camera_open", other) == ""


def test_withdrawing_shuts_it(study: Study, person: Person) -> None:
    address = reverse("camera", args=[study.purpose.id])
    person.browser.post(address)
    withdraw(person.actor, person.subject, study.purpose)
    opened = person.browser.get(reverse("camera_open", args=[study.purpose.id]))
    assert opened["Location"] == address
    assert person.browser.get(address)["Location"] == reverse("subject_home")
    assert person.browser.post(address).status_code == 403
    assert [entry.outcome for entry in shown()] == [Outcome.OK, Outcome.REFUSED]


def test_every_other_page_keeps_it_shut() -> None:
    for name in ("front", "subject_sign_in", "account_login", "retention_policy"):
        assert Client().get(reverse(name)).headers["Permissions-Policy"].startswith(SHUT), name
    assert Client().get("/nowhere/").headers["Permissions-Policy"].startswith(SHUT)
