"""Results in the form that a client accepts; what it takes none of is told before anything is opened."""

from __future__ import annotations

import csv
import io
import re
from contextlib import ExitStack
from typing import Any

import pytest
from django.db import connections
from hypothesis import given
from hypothesis import strategies as st

from accounts.accepting import wanted_most
from audit_log.models import LogEntry, PendingEntry
from consent.withdrawals import withdraw
from emotion.result_rows import rows_of
from emotion.results import read_result
from tests.cast import analysed, api_get, consenting, open_study
from tests.emotion.test_films import MEASURED, done, film_study, short

OFFERED = ("application/json", "text/csv", "application/vnd.apache.parquet")
JSON, CSV, PARQUET = OFFERED
REASON = {"Access_Reason": "study-analysis"}


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("", JSON), ("*/*", JSON), ("text/csv", CSV), ("TEXT/CSV", CSV), ("text/*", CSV),
        ("text/csv;q=0.5, application/json;q=0.4", CSV),
        ("text/csv;q=0.4, application/json;q=0.5", JSON),
        ("text/csv; q=0.4 , */*; q=0.3", CSV),
        ("*/*, application/json;q=0", CSV),
        ("application/*, application/json;q=0.1", PARQUET),
        ("application/json;q=0", None), ("image/png", None), ("json", None), ("*/csv", None),
        ("text/csv;charset=utf-8", CSV), ("text/csv;q=2", None), ("text/csv;q=nan", None),
        ("application/vnd.apache.parquet, text/csv", CSV),
        (",;,text/csv,", CSV),
    ],
)  # fmt: skip
def test_the_type_wanted_most(accept: str, wanted: str | None) -> None:
    assert wanted_most(accept, OFFERED) == wanted


GATE = [
    {"consent_consentstate", "consent_purpose"},
    {"audit_log_clockmark"},
    {"emotion_recording", "consent_erasurerequest", "emotion_result", "emotion_analysis"},
]
"""The tables that the gate asks about a result: the consent, the clock, how the recording stands."""


def test_a_read_asks_the_gate_before_its_entry_and_again_before_the_keys(fresh_db: None) -> None:
    """Each time of the database: what a question needs may be kept, what it answers may not."""
    study = open_study()
    consenting(study)
    row, key = analysed(study), study.key()
    asked: list[set[str]] = []

    def note(execute: Any, sql: str, *rest: Any) -> Any:
        asked.append(set(re.findall(r'(?:FROM|JOIN|INTO) "(\w+)"', sql)))
        return execute(sql, *rest)

    for _time in ("a question may be put together", "and is only asked"):
        asked.clear()
        with ExitStack() as stack:
            for alias in connections:
                stack.enter_context(connections[alias].execute_wrapper(note))
            assert api_get(key, "api_result", row.id, **REASON).status_code == 200
        entry, tags, keys = {"audit_log_pendingentry"}, {"vault_tagkey"}, {"vault_datakey"}
        assert asked[asked.index({"emotion_result"}) + 1 :] == [*GATE, tags, entry, *GATE, keys]


@given(st.text(alphabet='acexst*/;,=q.01 \t"é', max_size=60))
def test_no_header_breaks_it(accept: str) -> None:
    assert wanted_most(accept, OFFERED) in {*OFFERED, None}


def entries() -> int:
    return LogEntry.objects.count() + PendingEntry.objects.count()


def table(answer: Any) -> dict[tuple[str, str], list[str]]:
    head, *rows = csv.reader(io.StringIO(answer.content.decode()))
    assert head == ["category", "name", "value", "unit"]
    return {(row[0], row[1]): row[2:] for row in rows}


def test_a_photographs_result_as_rows(fresh_db: None) -> None:
    study = open_study()
    consenting(study)
    row, key = analysed(study), study.key()
    told = api_get(key, "api_result", row.id, **REASON)
    assert told["Log-Entry"] == told.json()["log_entry"]
    answer = api_get(key, "api_result", row.id, Accept="text/csv, application/json;q=0.9", **REASON)
    assert answer["Content-Type"] == "text/csv"
    assert answer["Cache-Control"] == "no-store"
    assert LogEntry.objects.filter(entry_id=answer["Log-Entry"]).exists() or (
        PendingEntry.objects.filter(entry_id=answer["Log-Entry"]).exists()
    )
    rows, parts = table(answer), told.json()["parts"]
    assert rows["expression", "top"] == ["happy", ""]
    happy = parts["expression"]["probabilities"]["happy"]
    assert float(rows["expression", "happy"][0]) == pytest.approx(happy)
    assert rows["expression", "happy"][1] == "probability"
    assert rows["blendshapes", "mouthSmileLeft"][1] == "share of the full movement"
    assert rows["summary", "status"] == ["read", ""]
    assert rows["summary", "quality.face_size_px"][1]
    assert sum(category == "blendshapes" for category, _name in rows) >= 52


def test_a_films_result_as_rows(fresh_db: None) -> None:
    study = film_study()
    person = consenting(study, categories=list(MEASURED))
    row = done(study, short())
    answer = api_get(study.key(), "api_result", row.id, Accept="text/csv", **REASON)
    rows = table(answer)
    assert rows["summary", "moments"][0] == "60"
    parts = read_result(person.actor, row.id).parts
    for category, part in parts.items():
        for name, figure in part["figures"].items():
            assert rows[category, name][1] == figure["unit"], (category, name)
    assert len(rows) == len(list(rows_of(parts)))


def test_what_a_client_takes_is_seen_before_the_gate_and_tells_nothing(fresh_db: None) -> None:
    """Not even whether there is such an analysis; and it is no entry, because nothing was asked for."""
    study = open_study()
    person = consenting(study)
    row, key = analysed(study), study.key()
    before = entries()
    for identity in (row.id, study.purpose.id):
        for name, about in (("api_result", [identity]), ("api_series", [identity, "expression"])):
            answer = api_get(key, name, *about, Accept="image/png", **REASON)
            assert (answer.status_code, answer.json()["code"]) == (406, "not-acceptable")
            assert answer["Content-Type"] == "application/problem+json"
            assert "image/png" not in answer.json()["detail"]
    assert entries() == before
    withdraw(person.actor, person.subject, study.purpose)
    assert api_get(key, "api_result", row.id, Accept="image/png", **REASON).status_code == 406
    refused = api_get(key, "api_result", row.id, Accept="text/csv", **REASON)
    assert (refused.status_code, refused["Content-Type"]) == (403, "application/problem+json")
    assert api_get("cns_x_y", "api_result", row.id, Accept="image/png").status_code == 401
