"""The colours of the style sheet keep WCAG 2.2 AA contrast, in the light and in the dark scheme."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CSS = (Path(__file__).parents[2] / "static/css/consentry.css").read_text()
GROUNDS = ("paper", "surface", "sunken")
TEXT = 4.5  # WCAG 1.4.3
SHAPE = 3.0  # WCAG 1.4.11: borders of controls, focus rings, bars

TEXT_PAIRS = [
    *((ink, ground) for ink in ("ink", "ink-soft", "accent") for ground in GROUNDS),
    *(("ink", f"{state}-wash") for state in ("accent", "live", "waiting", "ended", "refused")),
    *((state, f"{state}-wash") for state in ("accent", "live", "waiting", "ended", "refused")),
    *(("accent-hover", ground) for ground in ("paper", "surface")),
    *(("refused", ground) for ground in ("paper", "surface")),
    ("ink-soft", "accent-wash"),
    ("on-accent", "accent"),
    ("on-accent", "accent-hover"),
    ("on-refused", "refused"),
    ("on-refused", "refused-hover"),
    ("on-picture", "picture"),
]
SHAPE_PAIRS = [
    *(("control", ground) for ground in ("paper", "surface")),
    *(("accent", ground) for ground in GROUNDS),
    ("accent", "accent-wash"),
]


def schemes() -> dict[str, dict[str, str]]:
    """Names and hex colours of both schemes; the dark one overrides the light one."""
    light, dark = re.findall(r":root \{(.*?)\n\s*\}", CSS.split("@layer base {")[0], re.DOTALL)
    found = [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block)) for block in (light, dark)]
    assert found[0].keys() == found[1].keys(), "a colour is missing in one scheme"
    return {"light": found[0], "dark": found[1]}


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2.2."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast ratio, 1 to 21."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_contrast_of_known_pairs() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("front", "ground", "least"),
    [(*pair, TEXT) for pair in TEXT_PAIRS] + [(*pair, SHAPE) for pair in SHAPE_PAIRS],
)
def test_colours_can_be_told_apart(scheme: str, front: str, ground: str, least: float) -> None:
    colours = schemes()[scheme]
    ratio = contrast(colours[front], colours[ground])
    assert ratio >= least, f"{front} on {ground}, {scheme}: {ratio:.2f} < {least}"


def test_colours_stand_in_the_token_layer_only() -> None:
    rest = CSS.split("@layer base {")[1]
    stray = set(re.findall(r"#[0-9a-fA-F]{3,8}\b", rest)) - {"#fff", "#000", "#999", "#333"}
    assert not stray  # the four are ink and paper of the print styles and the QR code's ground


def test_nothing_but_colours_differs_in_the_dark() -> None:
    """So pages in the dark are asked by the rules about colours only (``tests.browser.looking``)."""
    _before, after = CSS.split("@media (prefers-color-scheme: dark) {")
    block = after[: after.index("\n  }\n")]
    lines = [line.strip() for line in block.splitlines() if line.strip()]
    assert (lines[0], lines[-1]) == (":root {", "}")
    assert all(re.fullmatch(r"--[a-z-]+: #[0-9a-f]{6};", line) for line in lines[1:-1])
