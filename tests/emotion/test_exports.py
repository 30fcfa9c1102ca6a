"""Exports: what goes out with which entry, what stays in, and that nothing of it lies anywhere."""

from __future__ import annotations

import csv
import gc
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from pyarrow import parquet
from uuid_utils.compat import uuid7

from accounts.actors import actor_for_client
from accounts.client_keys import revoke_key
from accounts.clients import revoke_client
from accounts.errors import ClientEnded
from accounts.models import ApiClient, Scope
from audit_log.errors import LogUnavailable
from audit_log.models import LogEntry
from audit_log.sequencer import integrate_once
from consent.withdrawals import withdraw
from emotion import bundles, exports, results
from emotion.exports import forget_exports
from emotion.models import Analysis, Export
from tests.cast import Person, Study, analysed, api_get, client_of, consenting, open_study
from tests.emotion.test_films import MEASURED, done, film_study, short

pytestmark = pytest.mark.usefixtures("fresh_db")
BOTH = (Scope.RESULTS_EXPORT, Scope.RESULTS_READ)
ABOUT = ("subject", "recording", "analysis", "recorded_at")


@pytest.fixture
def people(study: Study) -> list[Person]:
    return [consenting(study, f"P-{number}") for number in (1, 2)]


@pytest.fixture
def rows(study: Study, people: list[Person]) -> list[Analysis]:
    return [analysed(study, person.reference) for person in people]


def asked(key: str, reason: str = "study-analysis", **wanted: Any) -> Any:
    return Client().post(
        reverse("api_exports"),
        data=wanted,
        content_type="application/json",
        headers={"Authorization": f"Bearer {key}", "Access-Reason": reason},
    )


def fetched(key: str, made: dict[str, Any]) -> zipfile.ZipFile:
    answer = api_get(key, "api_export_content", made["id"], Accept="application/zip")
    assert answer.status_code == 200, answer.content
    assert answer["Content-Type"] == "application/zip"
    assert answer["Cache-Control"] == "no-store"
    archive = zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content)))
    assert archive.testzip() is None
    return archive


def index(archive: zipfile.ZipFile) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(archive.read("index.csv").decode())))


def exported(outcome: str = "ok") -> list[LogEntry]:
    integrate_once()
    return list(LogEntry.objects.filter(action="result:export", outcome=outcome).order_by("index"))


def opaque(person: Person) -> str:
    return str(person.subject.references.get().id)


def test_each_result_goes_out_with_an_entry_of_its_own(
    study: Study, people: list[Person], rows: list[Analysis]
) -> None:
    key = study.key(*BOTH)
    answer = asked(key, format="csv")
    assert answer.status_code == 201, answer.content
    made = answer.json()
    assert answer["Location"] == made["url"]
    assert (made["analyses"], made["state"], made["sent_at"]) == (2, "ready", None)
    integrate_once()
    request = LogEntry.objects.get(action="export:request")
    assert (request.reason, bytes(request.subject_tag)) == ("study-analysis", b"")
    assert not exported()
    archive = fetched(key, made)
    assert [row["left_out"] for row in index(archive)] == ["", ""]
    for person, row in zip(people, rows, strict=True):
        folder = f"{opaque(person)}/{row.recording_id}/{row.id}"
        table = list(csv.DictReader(io.StringIO(archive.read(f"{folder}/expression.csv").decode())))
        assert {each["subject"] for each in table} == {opaque(person)}
        values = {each["name"]: each["value"] for each in table}
        assert values["top"] == "happy"
    client = ApiClient.objects.get(keys__prefix=key.split("_")[1])
    assert [(e.actor, e.reason) for e in exported()] == [
        (f"client:{client.id}", "study-analysis")
    ] * 2
    assert len({bytes(entry.subject_tag) for entry in exported()}) == 2
    for person in people:
        history = person.browser.get(reverse("access_history")).content.decode()
        assert history.count("A result about you was exported") == 1
    told = api_get(key, "api_export", made["id"]).json()
    assert (told["included"], told["refused"]) == (2, {})
    assert told["sent_at"]


def test_who_has_withdrawn_since_is_not_in_it(
    study: Study, people: list[Person], rows: list[Analysis]
) -> None:
    key = study.key(*BOTH)
    made = asked(key).json()
    withdraw(people[0].actor, people[0].subject, study.purpose)
    archive = fetched(key, made)
    assert not [name for name in archive.namelist() if opaque(people[0]) in name]
    assert [(row["analysis"], row["left_out"]) for row in index(archive)] == [
        (str(rows[0].id), "consent-withdrawn"),
        (str(rows[1].id), ""),
    ]
    told = api_get(key, "api_export", made["id"]).json()
    assert (told["included"], told["refused"]) == (1, {"consent-withdrawn": 1})
    assert [entry.reason for entry in exported("refused")] == ["consent-withdrawn"]


def sent_until(key: str, made: Any, part: str) -> tuple[bytes, Iterator[bytes]]:
    """An export that was made, up to where this stands in it, and the rest, which has not left yet."""
    answer = api_get(key, "api_export_content", made.json()["id"])
    body, sent = iter(answer.streaming_content), b""
    while part.encode() not in sent:
        sent += next(body)
    return sent, body


def test_a_withdrawal_while_it_is_sent_wins(
    study: Study, people: list[Person], rows: list[Analysis]
) -> None:
    key = study.key(*BOTH)
    sent, body = sent_until(key, asked(key), f"{rows[0].id}/summary.json")
    withdraw(people[1].actor, people[1].subject, study.purpose)
    archive = zipfile.ZipFile(io.BytesIO(sent + b"".join(body)))
    assert [row["left_out"] for row in index(archive)] == ["", "consent-withdrawn"]


def test_what_has_not_left_of_a_result_stays_after_a_withdrawal(
    study: Study, people: list[Person], rows: list[Analysis]
) -> None:
    key = study.key(*BOTH)
    made = asked(key)
    sent, body = sent_until(key, made, f"{rows[0].id}/")
    withdraw(people[0].actor, people[0].subject, study.purpose)
    archive = zipfile.ZipFile(io.BytesIO(sent + b"".join(body)))
    folder = f"{opaque(people[0])}/{rows[0].recording_id}/{rows[0].id}"
    left = [name for name in archive.namelist() if name.startswith(folder)]
    assert len(left) == 1, "the one that was out already"
    first, second = index(archive)
    assert (first["folder"], first["left_out"]) == (folder, "consent-withdrawn")
    assert second["left_out"] == ""
    told = api_get(key, "api_export", made.json()["id"]).json()
    assert (told["included"], told["refused"]) == (1, {"consent-withdrawn": 1})


ENDS: dict[str, Callable[[Study, ApiClient], object]] = {
    "the client": lambda study, client: revoke_client(study.administrator.actor, client.id),
    "its key": lambda study, client: revoke_key(
        study.administrator.actor, client.id, client.keys.get().prefix
    ),
    "its time": lambda _study, client: ApiClient.objects.filter(pk=client.pk).update(
        expires_at=timezone.now()
    ),
    "its scope": lambda _study, client: ApiClient.objects.filter(pk=client.pk).update(
        scopes=[Scope.RESULTS_EXPORT]
    ),
}


@pytest.mark.parametrize("ended", ENDS)
@pytest.mark.parametrize("until", ["before the second result", "within the first"])
def test_nothing_leaves_for_a_client_that_was_taken_back(
    study: Study, rows: list[Analysis], ended: str, until: str
) -> None:
    """The archive breaks off, so that nobody takes it for whole."""
    key = study.key(*BOTH)
    last = "summary.json" if until == "before the second result" else ""
    sent, body = sent_until(key, asked(key), f"{rows[0].id}/{last}")
    already = len(sent)
    ENDS[ended](study, client_of(key))
    with pytest.raises(ClientEnded):
        for part in body:
            sent += part
    assert len(sent) == already
    assert str(rows[1].id).encode() not in sent
    assert not zipfile.is_zipfile(io.BytesIO(sent))
    assert len(exported()) == 1


def test_it_is_narrowed_by_people_categories_and_time(
    study: Study, people: list[Person], rows: list[Analysis]
) -> None:
    key = study.key(*BOTH)
    archive = fetched(
        key, asked(key, subjects=[opaque(people[1])], categories=["expression"]).json()
    )
    (row,) = index(archive)
    assert row["subject"] == opaque(people[1])
    told = json.loads(archive.read(f"{row['folder']}/expression.json"))
    assert set(told["parts"]) == {"expression"}
    here = [name for name in archive.namelist() if name.startswith(row["folder"])]
    assert sorted(here) == [f"{row['folder']}/{name}.json" for name in ("expression", "summary")]
    assert told["log_entry"] == str(exported()[-1].entry_id)
    at = rows[1].recording.created_at
    for wanted, number in (
        ({"created_after": at.isoformat()}, 0),
        ({"created_before": at.isoformat()}, 1),
        ({"created_after": "2020-01-01T00:00:00Z"}, 2),
        ({"subjects": []}, 0),
    ):
        assert asked(key, **wanted).json()["analyses"] == number, wanted


def test_what_is_done_later_is_not_in_it(
    study: Study, people: list[Person], rows: list[Analysis]
) -> None:
    key = study.key(*BOTH)
    made = asked(key).json()
    analysed(study, people[0].reference)
    assert len(index(fetched(key, made))) == 2


@pytest.mark.parametrize("kind", ["json", "csv", "parquet"])
def test_a_films_series_come_along(kind: str) -> None:
    study = film_study()
    person = consenting(study, categories=list(MEASURED))
    row = done(study, short())
    key = study.key(*BOTH)
    archive = fetched(key, asked(key, format=kind).json())
    folder = f"{opaque(person)}/{row.recording_id}/{row.id}"
    assert {f"{folder}/head-pose.{kind}", f"{folder}/series/head-pose.{kind}"} <= set(
        archive.namelist()
    )
    if kind == "parquet":
        table = parquet.read_table(io.BytesIO(archive.read(f"{folder}/summary.parquet")))
        assert table.column("value").type == "double"
        moments = dict(
            zip(table.column("name").to_pylist(), table.column("value").to_pylist(), strict=True)
        )
        assert moments["moments"] == 60
        series = parquet.read_table(io.BytesIO(archive.read(f"{folder}/series/head-pose.parquet")))
        assert len(series) == 60
        assert series.column_names[:5] == [*ABOUT, "time"]
        assert set(series.column("analysis").to_pylist()) == {str(row.id)}
    if kind == "csv":
        names, *moments = csv.reader(
            io.StringIO(archive.read(f"{folder}/series/head-pose.csv").decode())
        )
        assert names[:5] == [*ABOUT, "time"]
        assert {tuple(each[:3]) for each in moments} == {
            (opaque(person), str(row.recording_id), str(row.id))
        }


def test_it_belongs_to_the_client_that_asked_and_needs_both_scopes(
    study: Study, rows: list[Analysis]
) -> None:
    key = study.key(*BOTH)
    made = asked(key).json()
    for other in (study.key(), open_study().key()):
        for name in ("api_export", "api_export_content"):
            assert api_get(other, name, made["id"]).status_code == 404
        gone = Client().delete(
            reverse("api_export", args=[made["id"]]), headers={"Authorization": f"Bearer {other}"}
        )
        assert gone.status_code == 404
        assert not api_get(other, "api_exports").json()["results"]
    assert [row["id"] for row in api_get(key, "api_exports").json()["results"]] == [made["id"]]
    for scope in BOTH:
        assert asked(study.key(scope)).status_code == 403
    ApiClient.objects.filter(keys__prefix=key.split("_")[1]).update(scopes=["results:export"])
    assert api_get(key, "api_export_content", made["id"]).status_code == 403
    assert not exported()


def test_what_is_asked_wrongly_is_told_and_not_repeated(study: Study, rows: list[Analysis]) -> None:
    key = study.key(*BOTH)
    assert asked(key, reason="").json()["code"] == "reason-required"
    for wanted in (
        {"format": "Typed-Name-77"},
        {"categories": ["Typed-Name-77"]},
        {"categories": "Typed-Name-77"},
        {"subjects": ["Typed-Name-77"]},
        {"subjects": [str(uuid7())]},
        {"subjects": [str(uuid7()) for _each in range(1001)]},
        {"created_after": "Typed-Name-77"},
        {"Typed-Name-77": 1},
    ):
        answer = asked(key, **wanted)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid"), wanted
        assert b"Typed-Name" not in answer.content, wanted
    other = open_study()
    foreign = consenting(other, "P-9")
    assert asked(key, subjects=[opaque(foreign)]).status_code == 422
    made = asked(key).json()
    assert api_get(key, "api_export_content", made["id"], Accept="text/html").status_code == 406
    assert Export.objects.count() == 1


def test_one_at_a_time_and_not_too_many(
    study: Study, rows: list[Analysis], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = study.key(*BOTH)
    made = asked(key).json()
    first = api_get(key, "api_export_content", made["id"])
    busy = api_get(key, "api_export_content", made["id"])
    assert (busy.status_code, busy.json()["code"]) == (429, "export-in-progress")
    first.close()  # the client went away before a byte came
    assert len(index(fetched(key, made))) == 2
    monkeypatch.setattr(exports, "MOST", 1)
    large = asked(key)
    assert (large.status_code, large.json()["code"]) == (422, "export-too-large")


def test_what_is_thrown_away_unclosed_asks_no_database(
    study: Study, rows: list[Analysis], people: list[Person]
) -> None:
    """Garbage is collected at any time, also in the middle of a statement: it would wait for itself."""
    actor = actor_for_client(client_of(study.key(*BOTH)))
    export = Export.objects.get(pk=asked(study.key(*BOTH)).json()["id"])
    archives = [
        exports.archive(actor, export),
        bundles.bundle(people[0].actor, people[0].subject, study.purpose),
    ]
    for each in archives:
        assert next(each)
    with CaptureQueriesContext(connection) as asking:
        archives.clear()
        del each
        gc.collect()
    assert len(asking) == 0


def test_it_is_over_after_a_day_or_when_given_up(study: Study, rows: list[Analysis]) -> None:
    key = study.key(*BOTH)
    made = asked(key).json()
    address = reverse("api_export", args=[made["id"]])
    with time_machine.travel(timezone.now() + timedelta(hours=24, seconds=1)):
        assert Client().get(address, headers={"Authorization": f"Bearer {key}"}).status_code == 404
        assert forget_exports() == 1
    second = asked(key).json()
    assert forget_exports() == 0
    address = reverse("api_export", args=[second["id"]])
    headers = {"Authorization": f"Bearer {key}"}
    assert Client().delete(address, headers=headers).status_code == 204
    assert Client().delete(address, headers=headers).status_code == 404
    assert not Export.objects.exists()


def test_without_the_log_nothing_goes_out_and_the_archive_is_broken(
    study: Study, rows: list[Analysis], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = study.key(*BOTH)
    made = asked(key).json()
    real, calls = results.append_durable, list[UUID]()

    def full_after_one(draft: Any) -> Any:
        if calls:
            raise LogUnavailable
        calls.append(uuid7())
        return real(draft)

    monkeypatch.setattr(results, "append_durable", full_after_one)
    answer, sent = api_get(key, "api_export_content", made["id"]), b""
    with pytest.raises(LogUnavailable):
        for chunk in answer.streaming_content:
            sent += chunk
    assert str(rows[1].id).encode() not in sent
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(io.BytesIO(sent))
    export = Export.objects.get()
    assert (export.sent_at, export.included) == (None, 0)
    assert cache.add(f"export:{export.client_id}", True), "the next one may begin"
