"""Pages that no browser test looked at are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.roles import TABLE
from tools.pages import IN_A_STATE, LOOKS, NO_PAGES, forgotten, main, pages

LISTED = """## Addresses

| address | asked by | stranger | subject |
|---|---|---|---|
| `front` | GET | yes | yes |
| `notice` | GET | sign in | yes |
| `send` | POST | no | may |
| `never` | GET | no | no |
| `verifier` | GET | yes | yes |
| `api_purposes` | GET | yes | no |

## Tasks
"""


def looks(*names: str) -> str:
    return "".join(f"{name} {width} {scheme}\n" for name in names for width, scheme in LOOKS)


def test_a_page_counts_that_was_seen_at_both_widths_light_and_dark() -> None:
    assert set(pages(LISTED)) == {"front", "notice"}
    assert forgotten(looks("front", "notice", "verifier"), LISTED) == []
    some = looks("front") + "notice 360 light\nnotice 360 dark\nnotice 1280 light\n"
    assert forgotten(some, LISTED) == ["notice: looked at 3 of 4 ways"]


def test_without_any_look_every_page_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(tmp_path / "nothing") == 1
    said = capsys.readouterr().err
    known = pages(TABLE.read_text())
    assert len(said.splitlines()) == len(known) > 90
    assert {"front", "subject_home", "operate_home", *IN_A_STATE} <= set(known)
    assert not NO_PAGES & set(known)
