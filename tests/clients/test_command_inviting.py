"""The command ``consentry invite``: people asked from a list."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.conftest import Consentry, Lab


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


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "names nobody"),
        ("subject,email\nP-001,nobody\n", "line 2: that is no e-mail address"),
        ("subject,email\nP-001,\nP-001,\n", "line 3: this subject stands in the list twice"),
        ("reference\nP-001\n", "line 2: needs a subject"),
    ],
)
def test_a_wrong_list_asks_nobody(alone: Consentry, tmp_path: Path, text: str, says: str) -> None:
    people = tmp_path / "people.csv"
    people.write_text(text)
    done = alone("invite", people)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
