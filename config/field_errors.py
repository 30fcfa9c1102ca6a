"""Which field of a request is wrong, told by a pointer (RFC 6901), without repeating what was sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext as _
from rest_framework.settings import api_settings

REPEATING = frozenset({"invalid_choice", "does_not_exist", "no_match"})
"""Codes of DRF's field errors whose sentences would repeat the value."""


def field_errors(detail: Any, *, in_body: bool) -> list[dict[str, str]]:
    """The errors of a ValidationError: each with its pointer into the body, or the parameter's name."""
    found = walk(detail, "")
    if in_body:
        return [{"pointer": pointer, "detail": text} for pointer, text in found]
    return [{"parameter": pointer.lstrip("/"), "detail": text} for pointer, text in found]


def walk(detail: Any, pointer: str) -> Iterator[tuple[str, str]]:
    """Pointer and sentence of every error, however deep it lies in objects and lists."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            whole = name == api_settings.NON_FIELD_ERRORS_KEY
            yield from walk(inner, pointer if whole else f"{pointer}/{escaped(name)}")
    elif isinstance(detail, list) and any(isinstance(each, dict | list) for each in detail):
        for number, inner in enumerate(detail):
            yield from walk(inner, f"{pointer}/{number}")
    else:
        texts = detail if isinstance(detail, list) else [detail]
        if texts:
            yield pointer, " ".join(sentence(text) for text in texts)


def escaped(name: object) -> str:
    """One step of a pointer."""
    return str(name).replace("~", "~0").replace("/", "~1")


def sentence(text: Any) -> str:
    """What is told of one error."""
    if getattr(text, "code", "") in REPEATING:
        return _("Expected one of the values that the schema lists; something else came.")
    return str(text)
