"""docs/duties.md against the tests: every duty once, and no test that does not exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "duties.md"
ROW = re.compile(r"^\| (\d+) \| (.+) \| (.+) \|$", re.MULTILINE)


def rows() -> list[tuple[int, str, str]]:
    return [(int(number), words, shown) for number, words, shown in ROW.findall(PAGE.read_text())]


def functions(folder: Path) -> set[str]:
    return {
        name
        for path in folder.rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)\(", path.read_text(), re.MULTILINE)
    }


def test_each_duty_is_listed_once_and_in_order() -> None:
    assert [number for number, _words, _shown in rows()] == list(range(1, 27))


def test_each_duty_names_a_test_an_act_or_says_that_it_is_not_built() -> None:
    for number, _words, shown in rows():
        assert "`test_" in shown or "operator's act" in shown or "not yet" in shown, number


def test_every_named_test_exists_and_every_duty_test_is_named_at_its_number() -> None:
    there = functions(ROOT / "tests")
    named = {(number, name) for number, _words, shown in rows()
             for name in re.findall(r"`(test_\w+)`", shown)}  # fmt: skip
    assert {name for _number, name in named} <= there
    ours = {(int(name[10:12]), name) for name in functions(ROOT / "tests" / "duties")
            if name.startswith("test_duty_")}  # fmt: skip
    assert len(ours) > 15
    assert ours <= named
