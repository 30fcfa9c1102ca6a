"""What the browser loads: small files, and nothing inline. Vendored ones: ``tools.check``."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "static"
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
MOST = {  # bytes
    "css/consentry.css": 27_000,
    "css/camera.css": 2_000,
    "css/api.css": 5_000,
    "css/tables.css": 1_000,
    "css/aloud.css": 300,
    "css/film.css": 500,
    "js/app.js": 8_000,
    "js/camera.js": 12_000,
    "js/resumable.js": 5_000,
    "js/upload.js": 3_000,
    "js/film.js": 4_000,
    "js/aloud.js": 4_000,
    "js/passkeys.js": 4_000,
}


def test_own_files_stay_small() -> None:
    own = [file for kind in ("css", "js") for file in (STATIC / kind).rglob("*") if file.is_file()]
    assert {str(file.relative_to(STATIC)) for file in own} == MOST.keys()
    for file in own:
        name = str(file.relative_to(STATIC))
        assert file.stat().st_size < MOST[name], name


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.name))
def test_templates_hold_nothing_that_the_content_policy_refuses(template: Path) -> None:
    text = template.read_text()
    assert not re.search(r"<[^>]+\sstyle=", text), "inline style"
    assert not re.search(r"<[^>]+\son[a-z]+=", text), "inline handler"
    assert not re.search(r"<style\b|javascript:|hx-on|hx-vals='js:", text), "inline code"
    for tag in re.findall(r"<script\b[^>]*>", text):
        assert "src=" in tag or 'type="application/json"' in tag, "inline script"
    assert not re.search(r'(?:src|href)="https?://', text), "a request that leaves the host"
