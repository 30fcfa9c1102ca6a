"""What the documentation points to is there: files, tests, other pages and their sections."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "clients/python/README.md", *sorted(ROOT.glob("docs/*.md"))]
FILE = re.compile(r"`([a-z_]+(?:/[\w.-]+)+\.(?:py|md|html|json|toml|js|css))(?:::(\w+))?`")
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)")
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
MADE_WHEN_IT_RUNS = "var/"


def sections(page: Path) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", FENCED.sub("", page.read_text()), re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        found.add(slug if slug not in found else f"{slug}-1")
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_and_tests_that_a_page_names_are_there(page: Path) -> None:
    for name, test in FILE.findall(page.read_text()):
        if name.startswith(MADE_WHEN_IT_RUNS):
            continue
        there = [path for path in (ROOT / name, ROOT / "templates" / name) if path.is_file()]
        assert there, name
        assert not test or f"def {test}(" in there[0].read_text(), f"{name}::{test}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    for target, section in LINK.findall(FENCED.sub("", page.read_text())):
        if "://" in target or target.startswith("mailto:"):
            continue
        there = (page.parent / target).resolve() if target else page
        assert there.exists(), target
        if section:
            assert section in sections(there), f"{target}#{section}"
