"""The commands ``consentry invite`` and ``subjects``: people asked from a list, and found by it."""

from __future__ import annotations

import csv
import subprocess
from pathlib import Path

import pytest

from accounts.models import Scope
from tests.cast import consenting, open_study
from tests.clients.conftest import Begun, Consentry, Lab
from tests.clients.failing_server import ME, Reply, failing_server, problem


def test_people_are_asked_from_a_list_once(lab: Lab, consentry: Consentry, tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    people.write_text("subject,email\nP-001,a@example.org\nP-002,\n")
    rehearsed = consentry("invite", people, "--dry-run")
    assert "would ask  P-001  by e-mail" in rehearsed.stdout
    assert "example.org" not in rehearsed.stdout
    done = consentry("invite", people)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["asked      P-001", "asked      P-002", "2 asked"]
    again = consentry("invite", people)
    assert again.returncode == 0, again.stderr
    assert again.stdout.splitlines()[-1] == "2 there"
    with lab.client() as client:
        assert client.find_subject("P-002").status == "requested"


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_list_is_taken_as_a_table_writes_it(
    alone: Consentry, tmp_path: Path, separator: str
) -> None:
    people = tmp_path / "people.csv"
    lines = [[" Subject", "EMAIL"], ["P-001", "a@example.org"], ["Ünal, 7", ""]]
    people.write_text("".join(f"{separator.join(each)}\r\n" for each in lines), "utf-8-sig")
    done = alone("invite", people, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "would ask  P-001  by e-mail",
        "would ask  Ünal, 7  an operator hands the invitation over",
        "2 would ask",
    ]


def test_references_become_the_ids_of_results(
    lab: Lab, consentry: Consentry, begun: Begun, tmp_path: Path
) -> None:
    consenting(lab.study, "漢字, 1")
    people = tmp_path / "people.csv"
    people.write_text('subject,email\nP-002,\n"漢字, 1",\n', encoding="utf-8")
    assert consentry("invite", people).returncode == 0
    people.write_text('subject,group\nP-002,a\n"漢字, 1",b\nP-002,a\nP-404,b\n', encoding="utf-8")
    with (tmp_path / "ids.csv").open("wb") as file:
        child = begun("subjects", people, stdout=file, stderr=subprocess.PIPE, text=True)
        _out, errors = child.communicate(timeout=60)
    assert (child.returncode, errors) == (1, "P-404: never asked\n")
    with (tmp_path / "ids.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with lab.client() as client:
        ids = [str(client.find_subject(name).id) for name in ("P-002", "漢字, 1")]
    assert rows == [
        {"reference": "P-002", "subject": ids[0], "status": "requested"},
        {"reference": "漢字, 1", "subject": ids[1], "status": "given"},
    ]

    weak = lab.study.key(Scope.RECORDINGS_UPLOAD)
    refused = consentry("subjects", people, CONSENTRY_KEY=weak)
    assert (refused.returncode, "lacks subjects:read" in refused.stderr) == (1, True)
    people.write_text("reference\nP-001\n")
    wrong = consentry("subjects", people)
    assert (wrong.returncode, "must have the column subject" in wrong.stderr) == (2, True)
    assert wrong.stdout == ""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "names nobody"),
        ("subject,email\nP-001,nobody\n", "line 2: that is no e-mail address"),
        ("subject,email\nP-001,\nP-001,\n", "line 3: this subject stands in the list twice"),
        ("reference\nP-001\n", "first line must have the column subject"),
        ("subject,mail\nP-001,a@example.org\n", "first line must have the column email"),
        ("subject,email,Email\nP-001,,a@example.org\n", "the column email, once"),
        ("subject,email\n,a@example.org\n", "line 2: needs a subject"),
    ],
)
def test_a_wrong_list_asks_nobody(alone: Consentry, tmp_path: Path, text: str, says: str) -> None:
    people = tmp_path / "people.csv"
    people.write_text(text)
    done = alone("invite", people)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr


def test_a_key_for_another_purpose_asks_nobody(
    lab: Lab, consentry: Consentry, tmp_path: Path
) -> None:
    people, other = tmp_path / "people.csv", str(open_study().purpose.id)
    people.write_text("subject\nP-001\n")
    done = consentry("invite", people, "--purpose", other)
    assert (done.returncode, done.stdout) == (3, "")
    assert "for another purpose" in done.stderr
    with lab.client() as client:
        assert list(client.consent_requests()) == []
    assert consentry("invite", people, "--purpose", lab.purpose).returncode == 0


def test_one_person_who_was_written_to_just_now_ends_it_for_nobody_else(
    lab: Lab, consentry: Consentry, tmp_path: Path
) -> None:
    with lab.client() as client:
        asked = client.request_consent("P-001", email="a@example.org")
        client.cancel_consent_request(asked.id)
    people = tmp_path / "people.csv"
    people.write_text("subject,email\nP-001,a@example.org\nP-002,\n")
    done = consentry("invite", people)
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr, lines[1:]) == (
        1,
        "",
        ["asked      P-002", "1 refused, 1 asked"],
    )
    assert lines[0].startswith("refused    P-001  asked-too-soon: ")


def test_who_is_asked_too_often_is_asked_later(alone: Consentry, tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    people.write_text("subject\nP-001\nP-002\n")
    with failing_server() as server:
        server.will(Reply(200, ME), problem(429, "throttled", Retry_After="3600"))
        done = alone("invite", people, CONSENTRY_URL=server.url)
    assert (done.returncode, done.stdout, len(server.asked)) == (4, "", 2)


def test_whoever_was_never_asked_is_not_there(
    lab: Lab, consentry: Consentry, tmp_path: Path
) -> None:
    people = tmp_path / "people.csv"
    people.write_text("subject,Email\nP-020,a@example.org\nP-021,a@example.org\n")
    done = consentry("invite", people)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "1 asked, 1 refused")
    assert "refused    P-021  reference-taken: " in done.stdout
    again = consentry("invite", people)
    assert (again.returncode, again.stdout.splitlines()[-1]) == (1, "1 there, 1 refused")
    with lab.client() as client:
        (asked,) = client.consent_requests()
        assert asked.next_letter_not_before is not None  # there was a letter
    blind = consentry("invite", people, CONSENTRY_KEY=lab.study.key(Scope.CONSENT_REQUEST))
    assert (blind.returncode, blind.stdout.splitlines()[-1]) == (1, "2 refused")
