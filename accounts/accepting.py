"""Which of the media types on offer a client wants: ``Accept`` with its q values (RFC 9110, 12.5.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import BaseContentNegotiation, DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

RANGE = re.compile(r"([\w.+!#$&^-]+|\*)/([\w.+!#$&^-]+|\*)", re.ASCII)
PROBLEM = "application/problem+json"
WEIGHT = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")


def weights(accept: str) -> dict[tuple[str, str], float]:
    """The media ranges of an ``Accept`` header with their weights; what is malformed is left out."""
    found: dict[tuple[str, str], float] = {}
    for each in accept.lower().split(","):
        named, *parameters = (part.strip() for part in each.split(";"))
        media = RANGE.fullmatch(named)
        if media is None or (media[1] == "*" and media[2] != "*"):
            continue
        weight = 1.0
        for parameter in parameters:
            name, _equals, value = parameter.partition("=")
            if name.strip() == "q":
                weight = float(value) if WEIGHT.fullmatch(value.strip()) else 0.0
        found[media[1], media[2]] = weight
    return found


def wanted_most(accept: str, offered: Sequence[str]) -> str | None:
    """The offered type that the header gives the most weight, the first of equals; None for none of them.

    Without a header any will do. The range that fits a type most closely decides about it.
    """
    if not accept.strip():
        return offered[0]
    given = weights(accept)
    best, most = None, 0.0
    for kind in offered:
        main, _slash, sub = kind.partition("/")
        ranges = ((main, sub), (main, "*"), ("*", "*"))
        weight = next((given[each] for each in ranges if each in given), 0.0)
        if weight > most:
            best, most = kind, weight
    return best


def chosen(request: Request, offered: Sequence[str]) -> str:
    """The type to answer with. Raises NotAcceptable (406) when the client takes none of them."""
    found = wanted_most(request.headers.get("Accept", ""), offered)
    if found is None:
        raise NotAcceptable(f"Accept one of {', '.join(offered)}; none of them was.")
    return found


class ByTheRenderers(DefaultContentNegotiation):
    """What the view renders, JSON if nothing is said; also for whoever takes problem details alone.

    Programs that are generated from the document ask for the types that it names, and of an operation whose
    answer has no body these are all.
    """

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """The renderer and its type. Raises NotAcceptable (406)."""
        offered = list(renderers)
        try:
            found: tuple[BaseRenderer, str] = super().select_renderer(
                request, offered, format_suffix
            )
        except NotAcceptable:
            if wanted_most(request.headers.get("Accept", ""), (PROBLEM,)) is None:
                raise
            found = offered[0], str(offered[0].media_type)
        return found


class ByTheView(BaseContentNegotiation):
    """The view looks at ``Accept`` itself, by ``chosen``; errors are problem details whatever it says."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        """The first parser: these addresses take no bodies."""
        return next(iter(parsers), None)

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """The renderer of JSON, for what is JSON."""
        first = next(iter(renderers))
        return first, str(first.media_type)
