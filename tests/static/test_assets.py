"""What the browser loads: vendored files as they were published, and nothing inline."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VENDOR = ROOT / "static/vendor"
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))


def test_vendored_files_have_their_checksums() -> None:
    listed = dict(
        reversed(line.split()) for line in (VENDOR / "SHA256SUMS").read_text().splitlines()
    )
    there = {str(file.relative_to(VENDOR)) for file in VENDOR.glob("*/*") if file.is_file()}
    assert there == listed.keys()
    for name, expected in listed.items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == expected, name


def test_own_files_stay_small() -> None:
    most = {
        "css/consentry.css": 27_000,
        "css/camera.css": 2_000,
        "css/api.css": 5_000,
        "css/tables.css": 1_000,
        "css/aloud.css": 300,
        "css/film.css": 500,
        "js/app.js": 8_000,
    }
    most |= {
        "js/camera.js": 12_000,
        "js/resumable.js": 5_000,
        "js/upload.js": 3_000,
        "js/film.js": 4_000,
        "js/aloud.js": 4_000,
    }
    for name, size in most.items():
        assert (ROOT / "static" / name).stat().st_size < size, name


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.name))
def test_templates_hold_nothing_that_the_content_policy_refuses(template: Path) -> None:
    text = template.read_text()
    assert not re.search(r"<[^>]+\sstyle=", text), "inline style"
    assert not re.search(r"<[^>]+\son[a-z]+=", text), "inline handler"
    assert not re.search(r"<style\b|javascript:|hx-on|hx-vals='js:", text), "inline code"
    for tag in re.findall(r"<script\b[^>]*>", text):
        assert "src=" in tag or 'type="application/json"' in tag, "inline script"
    assert not re.search(r'(?:src|href)="https?://', text), "a request that leaves the host"
