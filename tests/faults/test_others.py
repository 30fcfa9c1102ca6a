"""What belongs to others is not there, and consent is bound to the notice that was read."""

from __future__ import annotations

import pytest
from django.urls import reverse

from accounts.models import Role
from consent.errors import InvalidNotice
from consent.giving import give_consent
from consent.models import ConsentEvent, ConsentState
from consent.notices import Change, publish_notice
from consent.records import record_notice_shown
from emotion.models import Analysis, Recording
from tests.cast import PHOTO, api_get, come_in, consenting, open_study, operator, upload

pytestmark = pytest.mark.usefixtures("fresh_db")
NEXT = {"en": ("Smiles", "We photograph your face, twice.", "All of it.")}
NEW = Change({"en": "Twice."}, substantive=True)


def test_the_key_of_another_purpose_finds_nothing() -> None:
    study = open_study()
    person = consenting(study)
    mine, other = study.key(), open_study().key()
    assert upload(mine, "P-001", study.purpose.id, PHOTO.read_bytes()).status_code == 202
    addresses = {
        "api_recording": Recording.objects.get().id,
        "api_analysis": Analysis.objects.get().id,
        "api_subject": person.subject.references.get().id,
    }
    for name, identity in addresses.items():
        assert api_get(mine, name, identity).status_code == 200, name
        assert api_get(other, name, identity).status_code == 404, name
    refused = api_get(other, "api_result", addresses["api_analysis"], Access_Reason="quality-check")
    assert refused.status_code == 404
    assert upload(other, "P-001", study.purpose.id, PHOTO.read_bytes()).status_code == 404
    assert Recording.objects.count() == 1


def test_lists_and_look_ups_hold_what_is_ones_own() -> None:
    study = open_study()
    person, other = consenting(study), consenting(study, "P-002")
    upload(study.key(), "P-001", study.purpose.id, PHOTO.read_bytes())
    recording = Recording.objects.get()
    own = reverse("own_recording", args=[recording.id])
    assert person.browser.get(own).status_code == 200
    assert other.browser.get(own).status_code == 404
    assert str(recording.id) not in other.browser.get(reverse("subject_home")).content.decode()
    desk = reverse("operate_recording", args=[recording.id])
    assert study.researcher.sign_in().get(desk).status_code == 200
    assert operator(Role.RESEARCHER).sign_in().get(desk).status_code == 404


def test_consent_needs_the_newest_notice_to_have_been_shown() -> None:
    study = open_study()
    person = come_in(study)
    first = study.purpose.notices.get()
    with pytest.raises(InvalidNotice):  # nobody has shown it to them yet
        give_consent(person.actor, person.subject, first, ["media"])
    record_notice_shown(person.actor, person.subject, first)
    second = publish_notice(study.administrator.actor, study.purpose, NEXT, NEW)[0]
    with pytest.raises(InvalidNotice):  # what they read is no longer in force
        give_consent(person.actor, person.subject, first, ["media"])
    with pytest.raises(InvalidNotice):  # what is in force they have not read
        give_consent(person.actor, person.subject, second, ["media"])
    assert not ConsentEvent.objects.filter(kind="given").exists()
    record_notice_shown(person.actor, person.subject, second)
    give_consent(person.actor, person.subject, second, ["media"])
    assert ConsentState.objects.get().status == "given"
