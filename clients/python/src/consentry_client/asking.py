"""What the flows of all resources have in common."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

from consentry_client.answers import read_as, read_json
from consentry_client.errors import UnexpectedAnswer
from consentry_client.flow import Answer, Bytes, Flow, Request

T = TypeVar("T")
Id = UUID | str
FIRST = ""
"""Where the first page of a list is."""


def one(id: Id) -> str:
    """An id as it stands in an address; raises ValueError for what is none."""
    return str(UUID(str(id)))


def moment(when: datetime | None) -> str | None:
    """A time as a parameter; raises ValueError for one without its offset, which could be any hour."""
    if when is not None and when.tzinfo is None:
        raise ValueError("give times with their time zone")
    return None if when is None else when.isoformat()


def as_json(value: Mapping[str, Any]) -> Bytes:
    """A body of JSON."""
    return Bytes(json.dumps(value).encode())


def ask(kind: type[T], request: Request) -> Flow[T]:
    """Ask, and read the answer as ``kind``."""
    answer: Answer = yield request
    return read_as(kind, read_json(answer))


def ask_page(
    kind: type[T], page: str, path: str, parameters: Mapping[str, str | None]
) -> Flow[tuple[tuple[T, ...], str | None]]:
    """One page of a list: its rows, and where the next one is."""
    if page == FIRST:
        given = {name: text for name, text in parameters.items() if text is not None}
        answer: Answer = yield Request("GET", path, given)
    else:
        answer = yield Request("GET", page)
    body = read_json(answer)
    if not isinstance(body, dict) or not isinstance(body.get("results"), list):
        raise UnexpectedAnswer("expected a page of a list; something else came")
    rows = tuple(read_as(kind, row) for row in body["results"])
    return rows, path_of(body.get("next"))


def path_of(url: Any) -> str | None:
    """Path and query of an address that the server named; the key is sent to no other host than it.

    Raises UnexpectedAnswer for what is no address.
    """
    if not isinstance(url, str) or not url:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        raise UnexpectedAnswer("the answer names an address that is none") from None
    if not url.isprintable():
        raise UnexpectedAnswer("the answer names an address that cannot be one")
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
