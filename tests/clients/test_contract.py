"""The client and the OpenAPI document say the same: operations, parameters, fields, types, words."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields, is_dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints
from uuid import UUID

import pytest
from drf_spectacular.generators import SchemaGenerator

import consentry_client.models
from consentry_client import BatchFile
from consentry_client.flow import Request
from consentry_client.operation import Listing, Operation
from consentry_client.operations import Operations

Json = dict[str, Any]
COMPONENTS = {
    "Me": "ClientOutput",
    "Webhook": "WebhookOutput",
    "WebhookSecret": "WebhookSecretOutput",
    "LogEntry": "EntryOutput",
    "BatchItem": "BatchItem",
    "BatchAnswer": "BatchOutput",
}
"""Classes that are called otherwise than in the document; the others have ``Output`` after their name."""
ID = UUID(int=7)
EXAMPLES: dict[str, Any] = {
    "id": ID,
    "page": "",
    "subject": "P-001",
    "purpose": ID,
    "reason": "study-analysis",
    "category": "head-pose",
    "prefix": "abc",
    "url": "https://example.org",
    "wait": 5,
    "email": "a@example.org",
    "types": [],
    "expires_at": datetime.fromisoformat("2026-11-28T00:00:00+00:00"),
    "files": [BatchFile(Path(__file__), "P-001")],
    "file": __file__,
}


@cache
def document() -> Json:
    made: Json = SchemaGenerator().get_schema(request=None, public=True)
    return made


def schema(name: str) -> Json:
    found: Json = document()["components"]["schemas"][name]
    return found


def resolved(kind: Json) -> Json:
    """What a reference stands for, with what was said beside it."""
    while "$ref" in kind or "allOf" in kind:
        part = kind if "$ref" in kind else kind["allOf"][0]
        rest = {name: value for name, value in kind.items() if name not in ("$ref", "allOf")}
        kind = schema(part["$ref"].rpartition("/")[2]) | rest
    return kind


def types_of(kind: Json) -> tuple[Any, bool]:
    """(what it is, whether it may be null) of a field in the document, in the client's terms."""
    kind = resolved(kind)
    choices = [resolved(each) for each in kind.get("oneOf") or kind.get("anyOf") or [kind]]
    plain = [each for each in choices if each.get("type") != "null" and each.get("enum") != [None]]
    null = len(plain) < len(choices)
    found = plain[0]
    names = found.get("type")
    if isinstance(names, list):
        null |= "null" in names
        (names,) = [each for each in names if each != "null"]
    words = {each for one in plain for each in one.get("enum", ()) if each not in (None, "")}
    if words:
        return frozenset(words), null
    if names == "string":
        return {"uuid": UUID, "date-time": datetime}.get(found.get("format", ""), str), null
    if names == "array":
        return (types_of(found["items"])[0],), null
    if names == "object" and "properties" in found:
        return {name: types_of(each) for name, each in found["properties"].items()}, null
    return {"integer": int, "number": float, "boolean": bool, "object": dict, None: Any}[
        names
    ], null


def own_types(hint: Any) -> tuple[Any, bool]:
    """The same of a field of ours."""
    if get_origin(hint) is UnionType:
        (plain,) = [each for each in get_args(hint) if each is not NoneType]
        return own_types(plain)[0], True
    if get_origin(hint) is Literal:
        return frozenset(get_args(hint)), False
    if get_origin(hint) is tuple:
        return (own_types(get_args(hint)[0])[0],), False
    if is_dataclass(hint):
        hints = get_type_hints(hint)
        return {each.name: own_types(hints[each.name]) for each in fields(hint)}, False
    if get_origin(hint) is not None:
        return dict, False
    return hint, False


def loose(ours: Any, theirs: Any) -> Any:
    """Theirs, where ours is a plain string on purpose: words that may become more."""
    if ours is str and isinstance(theirs, frozenset):
        return str
    if ours is dict and isinstance(theirs, dict):
        return dict
    if isinstance(ours, tuple) and isinstance(theirs, tuple):
        return (loose(ours[0], theirs[0]),)
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return {
            name: (loose(ours[name][0], kind), null) if name in ours else (kind, null)
            for name, (kind, null) in theirs.items()
        }
    return theirs


MODELS = {
    name: kind
    for name, kind in vars(consentry_client.models).items()
    if is_dataclass(kind) and kind.__module__ == consentry_client.models.__name__
}


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_class_has_the_fields_and_types_of_the_document(name: str) -> None:
    component = COMPONENTS.get(name, f"{name}Output")
    ours, _null = own_types(MODELS[name])
    theirs, _null = types_of(schema(component))
    assert ours == loose(ours, theirs)


def operations() -> dict[tuple[str, str], tuple[str, Json]]:
    """By method and path with its ids replaced: (operation id, operation)."""
    found = {}
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            if isinstance(operation, dict) and "operationId" in operation:
                key = (method.upper(), re.sub(r"\{[^}]*\}", "{}", path))
                found[key] = (operation["operationId"], operation)
    return found


def first_request(name: str) -> Request:
    """What a method sends first, with every argument given."""
    described = inspect.getattr_static(Operations, name)
    assert isinstance(described, Operation | Listing)
    takes = inspect.signature(described.flow).parameters
    given = {each: EXAMPLES[each] for each in takes if each in EXAMPLES}
    if name in ("recordings", "analyses"):
        given["subject"] = ID
    for each, parameter in takes.items():
        if get_origin(parameter.annotation) is Literal:
            given[each] = get_args(parameter.annotation)[0]
    if "path" in takes:
        given["path"] = EXAMPLES["file"]
    step = next(described.flow(**given))
    assert isinstance(step, Request)
    return step


METHODS = sorted(
    name
    for name in vars(Operations)
    if isinstance(inspect.getattr_static(Operations, name), Operation | Listing)
)


def key_of(request: Request) -> tuple[str, str]:
    path = f"/api/v1/{request.path}"
    path = re.sub(r"[0-9a-f-]{36}|(?<=keys/)abc|(?<=series/)head-pose", "{}", path)
    return request.method, path


@pytest.mark.parametrize("name", METHODS)
def test_every_method_asks_what_the_document_has(name: str) -> None:
    request = first_request(name)
    known = operations()
    assert key_of(request) in known
    _id, operation = known[key_of(request)]
    parameters = {
        (each["in"], each["name"].lower()): each for each in operation.get("parameters", ())
    }
    sent = {("query", each) for each in request.parameters}
    sent |= {("header", each) for each in request.headers} - {("header", "accept")}
    assert sent <= set(parameters)
    required = {place for place, each in parameters.items() if each.get("required")}
    assert {each for each in required if each[0] != "path"} <= sent
    takes_body = "requestBody" in operation
    assert (request.body is None) or takes_body


def test_every_operation_has_a_method() -> None:
    asked = {key_of(first_request(name)) for name in METHODS}
    upload = "/api/v1/uploads/{}/"
    asked |= {("HEAD", upload), ("PATCH", upload), ("DELETE", upload)}  # of upload_resumable
    missing = {key for key in operations() if key not in asked} - {("GET", "/api/v1/schema/")}
    assert missing == set()


def test_a_list_takes_every_filter_of_the_document() -> None:
    for name in METHODS:
        described = inspect.getattr_static(Operations, name)
        if not isinstance(described, Listing):
            continue
        _id, operation = operations()[key_of(first_request(name))]
        theirs = {each["name"] for each in operation["parameters"] if each["in"] == "query"}
        takes = set(inspect.signature(described.flow).parameters) - {"page", "id"}
        assert takes | {"order"} == theirs - {"cursor", "limit"}, name
