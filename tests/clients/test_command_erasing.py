"""The command ``consentry erasures``: nothing is confirmed whose copies are still there."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy
import pytest

from consentry_client import Erasure
from consentry_client.answers import read_as
from consentry_client.command_line.made_together import take_out
from emotion.inference.film_results import looking_away
from emotion.result_rows import rows_of, table_as_csv, table_as_parquet
from tests.clients.conftest import Consentry
from tests.clients.failing_server import ME, PURPOSE, Asked, Failing, Reply, failing_server
from tests.emotion.inference.acted import ramp, summary, table

Waiting = dict[str, dict[str, Any]]


def erasure(**about: Any) -> dict[str, Any]:
    return {
        "id": str(uuid4()),
        "subject": str(uuid4()),
        "purpose": PURPOSE,
        "recording": None,
        "category": None,
        "requested_at": "2026-11-27T09:12:44.102Z",
        "acknowledged_at": None,
    } | about


@pytest.fixture
def server() -> Iterator[Failing]:
    with failing_server() as running:
        yield running


@pytest.fixture
def erasures(server: Failing, alone: Consentry) -> Consentry:
    return partial(alone, "erasures", CONSENTRY_URL=server.url)


@pytest.fixture
def waiting(server: Failing) -> Waiting:
    """150 erasures that a client has not confirmed, on a server that lists 100 of them at a time."""
    made = {each["id"]: each for each in (erasure() for _number in range(150))}

    def answer(asked: Asked) -> Reply:
        if asked.path.endswith("/client/"):
            return Reply(200, ME)
        if asked.method == "GET":
            return Reply(200, list(made.values())[:100])
        return Reply(200, made.pop(asked.path.split("/")[-3]))

    server.by = answer
    return made


def test_no_erasure_is_confirmed_whose_copies_are_still_there(
    erasures: Consentry, waiting: Waiting, tmp_path: Path
) -> None:
    for each in waiting.values():
        (tmp_path / "results" / each["subject"]).mkdir(parents=True)
    first = erasures("--delete-from", tmp_path / "results")
    assert (first.returncode, first.stdout.splitlines()[-2]) == (1, "100 to erase")
    assert first.stdout.splitlines()[-1].startswith("More may wait behind these")
    new = erasure()  # filed between the two
    waiting[new["id"]] = new
    second = erasures("--acknowledge")
    assert (second.returncode, second.stdout.splitlines()[-1]) == (1, "100 confirmed, 51 to erase")
    there = {path.name for path in (tmp_path / "results").iterdir()}
    assert {each["subject"] for each in waiting.values()} == there | {new["subject"]}
    third = erasures("--delete-from", tmp_path / "results", "--acknowledge")
    assert (third.returncode, third.stdout.splitlines()[-1]) == (0, "51 confirmed")
    assert not any((tmp_path / "results").iterdir())


def looked_away(*categories: str) -> dict[str, Any]:
    """The part of a film in which the person looked away, as it is read."""
    times = numpy.arange(0, 10, 0.1)
    yaw = ramp(4, 0.2, 2.0, 0.2, 44.0)
    tables = {
        "head-pose": table("head-pose", times, yaw=yaw, z=-60.0),
        "gaze": table("gaze", times, yaw=yaw),
    }
    series = {"summary": summary(times)} | {each: tables[each] for each in categories}
    ((_category, part),) = looking_away(series).items()
    return part


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A film's results as ``results`` fetches them, beside what was unpacked of exports in each form."""
    gaze = looked_away("gaze", "head-pose")
    gaze["figures"]["read"] = {"value": 10.0, "unit": "seconds"}
    assert [each["kind"] for each in gaze["events"]] == ["look-away"]
    ours, export = tmp_path / "s" / "r" / "ours", tmp_path / "s" / "r" / "export"
    ours.mkdir(parents=True)
    (export / "series").mkdir(parents=True)
    (ours / "gaze.json").write_text(json.dumps(gaze))
    (ours / "head-pose.json").write_text("{}")
    (ours / "expression.json").write_text('{"figures": {"read": {"value": 1}}}')
    (ours / "gaze.csv").write_text("subject,time,yaw\r\ns,0.0,1.5\r\n")
    (export / "gaze.json").write_text(json.dumps({"analysis": "a", "parts": {"gaze": gaze}}))
    (export / "gaze.csv").write_bytes(table_as_csv(rows_of({"gaze": gaze}), {"subject": "s"}))
    (export / "gaze.parquet").write_bytes(table_as_parquet(rows_of({"gaze": gaze}), {}))
    (export / "series" / "gaze.json").write_text('{"categories": ["gaze"]}')
    (export / "series" / "head-pose.csv").write_text("time,yaw\r\n")
    return tmp_path


def stopped(category: str) -> Erasure:
    found = read_as(Erasure, erasure(category=category))
    return Erasure(**vars(found) | {"subject": "s"})


def test_what_was_made_of_an_erased_category_too_goes_with_it(
    server: Failing, erasures: Consentry, film: Path
) -> None:
    from pyarrow import parquet

    subject = str(UUID(int=5))
    (film / "s").rename(film / subject)
    asked = erasure(subject=subject, category="head-pose")
    server.will(Reply(200, ME), Reply(200, [asked]), Reply(200, asked), Reply(200, []))
    done = erasures("--delete-from", film, "--acknowledge")
    assert (done.returncode, f"6 erased in {film}" in done.stdout) == (0, True), done.stderr
    ours, export = film / subject / "r" / "ours", film / subject / "r" / "export"
    part = json.loads((ours / "gaze.json").read_text())
    assert part == {"figures": {"read": {"value": 10.0, "unit": "seconds"}}, "events": []}
    assert json.loads((export / "gaze.json").read_text())["parts"]["gaze"] == part
    with (export / "gaze.csv").open(newline="") as file:
        assert [row["name"] for row in csv.DictReader(file)] == ["read"]
    assert parquet.read_table(export / "gaze.parquet")["name"].to_pylist() == ["read"]
    assert sorted(path.name for path in film.rglob("*.*")) == [
        "expression.json",
        "gaze.csv",
        "gaze.csv",
        "gaze.json",
        "gaze.json",
        "gaze.json",
        "gaze.parquet",
    ]
    assert (ours / "gaze.csv").read_text().endswith("1.5\n")


def test_what_was_not_made_of_it_stays_as_it_is(film: Path) -> None:
    before = {path: path.read_bytes() for path in film.rglob("*.*")}
    assert take_out(film, stopped("expression")) == 0
    assert {path: path.read_bytes() for path in film.rglob("*.*")} == before
    (film / "s" / "r" / "ours" / "gaze.json").write_text(json.dumps(looked_away("gaze")))
    (film / "s" / "r" / "ours" / "notes.json").write_text("no JSON")
    before = {path: path.read_bytes() for path in (film / "s" / "r" / "ours").iterdir()}
    take_out(film, stopped("head-pose"))
    assert {path: path.read_bytes() for path in (film / "s" / "r" / "ours").iterdir()} == before


def test_a_table_that_nobody_can_look_into_goes_whole(
    film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)  # as where it was never installed
    assert take_out(film, stopped("head-pose")) == 4
    assert not (film / "s" / "r" / "export" / "gaze.parquet").exists()
