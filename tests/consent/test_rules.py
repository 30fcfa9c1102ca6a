"""The rule of the gate against docs/gate.md, cell by cell."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from consent.rules import Asker, ConsentStanding, Facts, Kept, Operation, refusal

PAGE = Path(__file__).resolve().parents[2] / "docs" / "gate.md"


def table(heading: str) -> list[list[str]]:
    """The rows of one table of the page, its head first."""
    section = PAGE.read_text().split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def by_consent() -> dict[tuple[str, str, str], str]:
    head, *rows = table("By consent")
    return {
        (row[0], row[1], standing): cell
        for row in rows
        for standing, cell in zip(head[2:], row[2:], strict=True)
    }


def by_purpose() -> dict[tuple[str, bool], str]:
    _head, *rows = table("By purpose")
    return {
        (row[0], is_open): cell
        for row in rows
        for is_open, cell in zip((True, False), row[1:], strict=True)
    }


def by_retention() -> dict[str, str]:
    _head, *rows = table("By retention")
    return {row[0]: row[1] for row in rows}


CONSENT, PURPOSE, RETENTION = by_consent(), by_purpose(), by_retention()


def test_the_page_has_every_cell() -> None:
    assert set(CONSENT) == set(itertools.product(Operation, Asker, ConsentStanding))
    assert set(PURPOSE) == set(itertools.product(Operation, (True, False)))
    assert set(RETENTION) == set(Kept)


@pytest.mark.parametrize("operation", list(Operation))
def test_each_cell_is_what_the_page_says(operation: Operation) -> None:
    cells = 0
    for asker, standing, is_open, periods, covered, kept in itertools.product(
        Asker, ConsentStanding, (True, False), (True, False), (True, False), Kept
    ):
        facts = Facts(
            standing=standing,
            purpose_open=is_open,
            periods_set=periods,
            covered=covered,
            kept=kept,
        )
        answers = [
            CONSENT[operation, asker, standing],
            PURPOSE[operation, is_open],
            "yes" if periods else "retention-not-set",
            "yes" if covered else "category-not-consented",
            RETENTION[kept],
        ]
        expected = next((answer for answer in answers if answer != "yes"), None)
        found = refusal(operation, asker, facts)
        assert (found.value if found else None) == expected, (operation, asker, facts)
        cells += 1
    assert cells == 5 * 7 * 2 * 2 * 2 * 4
