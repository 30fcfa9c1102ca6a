"""Reads answers: JSON into the classes of ``models``, problem details into errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints
from uuid import UUID

from consentry_client.errors import BY_STATUS, ApiError, FieldError, Unavailable, UnexpectedAnswer
from consentry_client.flow import Answer

T = TypeVar("T")
PLAIN: dict[type, type | tuple[type, ...]] = {
    str: str,
    bool: bool,
    int: int,
    float: (int, float),
}
"""By the type of a field, what JSON may have in its place."""


def read_json(answer: Answer) -> Any:
    """The body; raises UnexpectedAnswer when it is no JSON."""
    try:
        return json.loads(answer.content)
    except (ValueError, RecursionError):
        raise UnexpectedAnswer(
            f"expected JSON with status {answer.status}; something else came"
        ) from None


def read_as(kind: type[T], value: Any) -> T:
    """A value of JSON as ``kind``: a class of ``models``, or what its fields are made of.

    Fields that this version does not know are left aside; raises UnexpectedAnswer for one that is missing
    or of another type.
    """
    read: T = _read(kind, value)
    return read


@cache
def _hints(kind: type) -> dict[str, Any]:
    """The types of a class's fields."""
    return get_type_hints(kind)


def _read(kind: Any, value: Any) -> Any:
    if kind is Any:
        return value
    origin = get_origin(kind)
    if origin is UnionType:
        others = [each for each in get_args(kind) if each is not NoneType]
        return None if value is None else _read(others[0], value)
    if origin is Literal:  # any word: a newer server may have more of them
        return _plain(str, value)
    if origin is tuple:
        return tuple(_read(get_args(kind)[0], each) for each in _list(value))
    if origin is Mapping or origin is dict:
        return {name: _read(get_args(kind)[1], each) for name, each in _object(value).items()}
    if kind is UUID or kind is datetime:
        return _parsed(kind, value)
    return _plain(kind, value) if kind in PLAIN else _model(kind, _object(value))


def _plain(kind: type, value: Any) -> Any:
    number_for_truth = isinstance(value, bool) and kind is not bool
    if not isinstance(value, PLAIN[kind]) or number_for_truth:
        raise UnexpectedAnswer(f"expected {kind.__name__}; got {type(value).__name__}")
    return value


def _parsed(kind: type, value: Any) -> Any:
    text = _plain(str, value)
    try:
        return UUID(text) if kind is UUID else datetime.fromisoformat(text)
    except ValueError:
        raise UnexpectedAnswer(f"expected {kind.__name__}; something else came") from None


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise UnexpectedAnswer(f"expected a list; got {type(value).__name__}")
    return value


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UnexpectedAnswer(f"expected an object; got {type(value).__name__}")
    return value


def _model(kind: Any, given: dict[str, Any]) -> Any:
    hints = _hints(kind)
    missing = [each.name for each in fields(kind) if each.name not in given]
    if missing:
        raise UnexpectedAnswer(f"{kind.__name__} came without {', '.join(missing)}")
    return kind(**{each.name: _read(hints[each.name], given[each.name]) for each in fields(kind)})


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds of a Retry-After header, which may be a date as well; None without one."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):  # TypeError: a date without a zone
        return None


def whole(headers: Mapping[str, str], name: str) -> int:
    """A header that is a whole number; raises UnexpectedAnswer for anything else."""
    text = headers.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise UnexpectedAnswer(f"the answer has no {name}, or none that is a number")
    return int(text)


def error_in(answer: Answer) -> ApiError:
    """The error that an answer of 400 or more tells."""
    try:
        told = json.loads(answer.content)
    except (ValueError, RecursionError):
        told = None
    told = told if isinstance(told, dict) else {}
    kind = BY_STATUS.get(answer.status, Unavailable if answer.status >= 500 else ApiError)
    listed = told.get("errors")
    wrong = tuple(
        FieldError(
            str(each.get("pointer", "")),
            str(each.get("detail", "")),
            str(each.get("parameter", "")),
        )
        for each in (listed if isinstance(listed, list) else [])
        if isinstance(each, dict)
    )
    return kind(
        answer.status,
        str(told.get("code", "unknown")),
        str(told.get("detail", "the answer does not say why")),
        wrong,
        retry_after(answer.headers),
        str(told["log_entry"]) if "log_entry" in told else None,
    )
