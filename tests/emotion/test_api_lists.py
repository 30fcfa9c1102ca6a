"""The API's lists of recordings and analyses: what they hold, how they are narrowed, what they cost."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from uuid_utils.compat import uuid7

from accounts.models import Scope
from consent.models import DataSubject, SubjectReference
from consent.withdrawals import withdraw
from emotion.erasure import drain
from emotion.models import Analysis, MediaState, Recording
from tests.cast import Study, analysed, api_get, consenting, open_study
from tests.counting import queries_of

pytestmark = pytest.mark.usefixtures("fresh_db")


def filed(study: Study, subject: DataSubject, at: datetime, **changes: Any) -> Recording:
    """A recording with one analysis that ended, as rows: what a list shows, without what was measured."""
    until = at + timedelta(days=30)
    recording = Recording.objects.create(
        subject=subject, purpose=study.purpose, uploaded_by="client:x", media_type="image/jpeg",
        size=1, media_key_id=uuid7(), keep_media=False, media_retain_until=until, retain_until=until,
        created_at=at, **changes,
    )  # fmt: skip
    Analysis.objects.create(
        recording=recording, state="done", queued_at=at, not_before=at,
        finished_at=at + timedelta(seconds=1),
    )  # fmt: skip
    return recording


def listed(key: str, name: str, **filters: str) -> Any:
    return Client().get(reverse(name), filters, headers={"Authorization": f"Bearer {key}"})


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [row["id"] for row in answer.json()["results"]]


def test_recordings_are_narrowed_by_person_media_and_time(study: Study) -> None:
    people = [consenting(study, f"P-{number}").subject for number in (1, 2)]
    now = timezone.now().replace(microsecond=0)
    first = filed(study, people[0], now - timedelta(hours=2), media_state=MediaState.ERASED)
    second = filed(study, people[0], now - timedelta(hours=1))
    third = filed(study, people[1], now)
    key = study.key(Scope.RECORDINGS_READ)
    everything = listed(key, "api_recordings")
    assert ids(everything) == [str(row.id) for row in (third, second, first)]
    assert ids(listed(key, "api_recordings", order="oldest", limit="1")) == [str(first.id)]
    opaque = everything.json()["results"][0]["subject"]
    assert opaque == str(people[1].references.get().id)
    assert ids(listed(key, "api_recordings", subject=opaque)) == [str(third.id)]
    assert ids(listed(key, "api_recordings", media_state="erased")) == [str(first.id)]
    at = (now - timedelta(hours=1)).isoformat()
    assert ids(listed(key, "api_recordings", created_after=at)) == [str(third.id)]
    assert ids(listed(key, "api_recordings", created_before=at)) == [str(first.id)]
    assert not ids(listed(key, "api_recordings", subject=str(uuid7())))


def test_analyses_are_narrowed_by_state_recording_person_and_time(study: Study) -> None:
    people = [consenting(study, f"P-{number}").subject for number in (1, 2)]
    now = timezone.now().replace(microsecond=0)
    old = filed(study, people[0], now - timedelta(hours=1)).analyses.get()
    new = filed(study, people[1], now).analyses.get()
    Analysis.objects.filter(pk=new.pk).update(state="queued", finished_at=None)
    key = study.key(Scope.RECORDINGS_READ)
    everything = listed(key, "api_analyses")
    assert ids(everything) == [str(new.id), str(old.id)]
    assert everything.json()["results"][0]["recording"] == str(new.recording_id)
    for filters, wanted in (
        ({"state": "queued"}, new),
        ({"recording": str(old.recording_id)}, old),
        ({"subject": str(people[0].references.get().id)}, old),
        ({"queued_after": (now - timedelta(minutes=1)).isoformat()}, new),
        ({"queued_before": now.isoformat()}, old),
        ({"finished_after": "2020-01-01T00:00:00Z"}, old),
        ({"finished_before": (now + timedelta(hours=1)).isoformat()}, old),
    ):
        assert ids(listed(key, "api_analyses", **filters)) == [str(wanted.id)], filters
    assert not ids(listed(key, "api_analyses", state="queued", recording=str(old.recording_id)))


def test_a_list_holds_one_purpose(study: Study) -> None:
    person, other = consenting(study), open_study()
    filed(study, person.subject, timezone.now())
    key = other.key()
    reference = str(person.subject.references.get().id)
    for name in ("api_recordings", "api_analyses"):
        assert not ids(listed(key, name))
        assert not ids(listed(key, name, subject=reference))


def test_an_id_of_another_purpose_finds_nobody_here(study: Study) -> None:
    """Else two clients could find out that they know the same person."""
    subject, other = consenting(study).subject, open_study()
    SubjectReference.objects.create(
        subject=subject, purpose=other.purpose, data_key_id=uuid7(), sealed=b"", index=b"i"
    )
    filed(study, subject, timezone.now())
    foreign = str(subject.references.get(purpose=other.purpose).id)
    for name in ("api_recordings", "api_analyses"):
        assert len(ids(listed(study.key(), name))) == 1
        assert not ids(listed(study.key(), name, subject=foreign)), name


WRONG: list[tuple[str, dict[str, str], int, str]] = [
    ("api_recordings", {"subject": "Typed-Name-77"}, 422, "invalid"),
    ("api_recordings", {"subject": ""}, 422, "invalid"),
    ("api_recordings", {"media_state": "Typed-Name-77"}, 422, "invalid"),
    ("api_recordings", {"created_after": "Typed-Name-77"}, 422, "invalid"),
    ("api_recordings", {"created_after": "2026-11-28T09:00:00"}, 422, "invalid"),
    ("api_recordings", {"created_after": "0001-01-01T00:00:00+14:00"}, 422, "invalid"),
    ("api_recordings", {"created_before": "9999-12-31T23:59:59-14:00"}, 422, "invalid"),
    ("api_recordings", {"Typed-Name-77": "1"}, 422, "invalid"),
    ("api_recordings", {"limit": "0"}, 422, "invalid"),
    ("api_recordings", {"order": "sideways"}, 422, "invalid"),
    ("api_recordings", {"cursor": "Typed-Name-77"}, 422, "invalid"),
    ("api_analyses", {"state": "Typed-Name-77"}, 422, "invalid"),
    ("api_analyses", {"state": ""}, 422, "invalid"),
    ("api_analyses", {"media_state": "stored"}, 422, "invalid"),
]


def test_a_filter_that_is_none_is_refused_and_not_repeated(study: Study) -> None:
    key = study.key()
    for name, filters, status, code in WRONG:
        answer = listed(key, name, **filters)
        assert answer.status_code == status, (name, filters, answer.content)
        assert answer.json()["code"] == code
        assert b"Typed-Name" not in answer.content, filters


@pytest.mark.parametrize("name", ["api_recordings", "api_analyses"])
def test_a_list_asks_no_more_for_more_rows(study: Study, name: str) -> None:
    now = timezone.now()
    subjects = [consenting(study, f"P-{number}").subject for number in range(3)]
    for number, subject in enumerate(subjects):
        filed(study, subject, now + timedelta(seconds=number))
    browser = Client(headers={"Authorization": f"Bearer {study.key()}"})
    queries_of(browser, reverse(name))  # the first use of a key is noted
    few = queries_of(browser, reverse(name))
    for number in range(57):
        filed(study, subjects[number % 3], now + timedelta(minutes=number))
    address = reverse(name) + "?limit=200"
    assert len(browser.get(address).json()["results"]) == 60
    assert queries_of(browser, address) == few


def test_states_have_a_tag_and_results_have_none(study: Study) -> None:
    consenting(study)
    row = analysed(study)
    key = study.key()
    for name, given in (
        ("api_recordings", []),
        ("api_analyses", []),
        ("api_recording", [row.recording_id]),
        ("api_analysis", [row.id]),
    ):
        first = api_get(key, name, *given)
        assert first["Cache-Control"] == "private, no-cache"
        for known in (first["ETag"], f"W/{first['ETag']}", f'"x", {first["ETag"]}', "*"):
            again = api_get(key, name, *given, If_None_Match=known)
            assert (again.status_code, again.content) == (304, b""), (name, known)
            assert again["ETag"] == first["ETag"]
        assert api_get(key, name, *given, If_None_Match='"x"').status_code == 200
    known = api_get(key, "api_analysis", row.id)["ETag"]
    Analysis.objects.filter(pk=row.pk).update(state="erased")
    assert api_get(key, "api_analysis", row.id, If_None_Match=known).status_code == 200
    Analysis.objects.filter(pk=row.pk).update(state="done")
    for name, given in (("api_result", [row.id]), ("api_series", [row.id, "expression"])):
        answer = api_get(key, name, *given, Access_Reason="study-analysis")
        assert "ETag" not in answer.headers


def test_what_is_erased_is_still_listed_as_erased(study: Study) -> None:
    person = consenting(study)
    analysed(study)
    withdraw(person.actor, person.subject, study.purpose)
    drain()
    (row,) = listed(study.key(), "api_recordings").json()["results"]
    assert (row["media_state"], row["analyses"][0]["state"]) == ("erased", "erased")
    assert row["erased_at"]
