"""Numbers to call, by place: the same list for everybody, whatever anybody's results are.

The list is a file, ``help_lines.json``, or the one that ``HELP_LINES_FILE`` names: an installation knows
its own people's places best.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from django.utils.translation import get_language
from django.utils.translation.trans_real import parse_accept_lang_header

log = logging.getLogger(__name__)
OUR_OWN = Path(__file__).with_name("help_lines.json")


class HelpLinesInvalid(ValueError):
    """The file is no list of help lines."""


class Said(NamedTuple):
    """A text and the language that it is in: one that is missing is shown in English."""

    text: str
    language: str


@dataclass(frozen=True)
class Place:
    """A country or region with its lines: pairs of number and whose it is, by language."""

    locales: tuple[str, ...]
    names: dict[str, str]
    lines: tuple[tuple[str, dict[str, str]], ...]

    def name(self) -> Said:
        """In the language of the moment."""
        return in_language(self.names)

    def shown(self) -> list[tuple[str, Said]]:
        """Its lines in the language of the moment: (number, whose it is)."""
        return [(number, in_language(who)) for number, who in self.lines]


def read(path: Path) -> tuple[date, list[Place]]:
    """When the list was checked, and its places. Raises HelpLinesInvalid or OSError."""
    try:
        found = json.loads(path.read_text("utf-8"))
        return date.fromisoformat(found["checked"]), [place_of(each) for each in found["places"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HelpLinesInvalid(f"{path}: {type(error).__name__}: {error}") from error


def place_of(entry: dict[str, Any]) -> Place:
    """One place of the file."""
    lines = tuple((str(line["number"]), texts(line["who"])) for line in entry["lines"])
    return Place(tuple(map(str, entry["locales"])), texts(entry["place"]), lines)


def texts(found: dict[str, str]) -> dict[str, str]:
    """A text by language; English must be there, for languages that are not."""
    if not found["en"]:
        raise ValueError("an empty text")
    return {str(language): str(text) for language, text in found.items()}


def in_language(found: dict[str, str]) -> Said:
    """A text in the language of the moment, else in English."""
    language = get_language() or "en"
    return Said(found[language], language) if language in found else Said(found["en"], "en")


def lines_for(accepted: str) -> tuple[date, list[Place]]:
    """The list with the places of these languages first (an Accept-Language header)."""
    try:
        checked, places = read(settings.HELP_LINES_FILE)
    except (HelpLinesInvalid, OSError):
        log.warning("HELP_LINES_FILE cannot be used; the list of the program is shown instead")
        checked, places = read(OUR_OWN)
    wanted = [get_language() or "en", *(tag for tag, _q in parse_accept_lang_header(accepted))]

    def rank(place: Place) -> int:
        near = (n for n, tag in enumerate(wanted) if fits(tag, place.locales))
        return next(near, len(wanted))

    return checked, sorted(places, key=rank)


def fits(tag: str, locales: tuple[str, ...]) -> bool:
    """Whether a language as a browser names it belongs to a place: ``de-at`` to ``de``."""
    return any(tag == each or tag.startswith(f"{each}-") for each in locales)
