"""The OpenAPI document says everything that a client has to know, and docs/openapi.json is it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from jsonschema import Draft202012Validator

from accounts.models import Scope
from config.schema import document
from tests.cast import api, open_study
from tests.faults.roles import addresses
from tools.openapi import FILE, breaking, operations, written

Json = dict[str, Any]
UNTOLD = {"OPTIONS"}  # of every address, so in no document


@pytest.fixture(scope="module")
def made() -> Json:
    return json.loads(json.dumps(document()))


def test_the_file_in_docs_breaks_nobody_and_is_not_stale(made: Json) -> None:
    kept = json.loads(FILE.read_text())
    assert not breaking(kept, made), "this breaks clients that were written for docs/openapi.json"
    assert FILE.read_text() == written(made), "docs/openapi.json is stale: run `make schema`"


def test_it_is_served_as_json_and_as_yaml(made: Json, fresh_db: None) -> None:
    answer = Client().get(reverse("api_schema"), {"format": "json"})
    assert answer.status_code == 200
    assert answer.json() == made
    assert made["openapi"].startswith("3.1")
    plain = Client().get(reverse("api_schema"))
    assert plain.content.startswith(b"openapi: 3.1")
    assert Client().get(reverse("api_schema"), headers={"Accept": "text/html"}).status_code == 406


def test_every_operation_says_what_it_is(made: Json) -> None:
    found = operations(made)
    summaries = [each["summary"] for each in found.values()]
    assert len(set(summaries)) == len(summaries)
    for name, each in found.items():
        assert 5 < len(each["summary"]) <= 70, name
        assert len(each["description"]) > 10, name
        assert each["operationId"], name
        assert each["security"] == [{"apiKey": []}], name
        assert any(status < "400" for status in each["responses"]), name


def test_scopes_are_those_that_the_views_ask_for(made: Json) -> None:
    asked = {}
    for pattern in addresses():
        view = getattr(pattern.callback, "cls", None)
        also = [getattr(each, "scope", None) for each in getattr(view, "permission_classes", ())]
        for method, scope in getattr(view, "scopes", {}).items():
            # A class that several views share names scopes of methods that some of them lack.
            if hasattr(view, method.lower()) and method not in UNTOLD:
                found = (scope, *also)
                asked[method, str(pattern.name)] = [str(each) for each in found if each]
    told = [each["x-required-scopes"] for each in operations(made).values()]
    assert sorted(each for each in told if each) == sorted(asked.values())
    assert {scope for scopes in told for scope in scopes} <= set(Scope.values)


def test_every_error_has_its_codes_and_is_a_problem(made: Json) -> None:
    for name, each in operations(made).items():
        refusals = {status for status in each["responses"] if status >= "400"}
        assert each["x-codes"].keys() == refusals, name
        assert {"401", "406", "429", "500", "503"} <= refusals, name
        assert all(each["x-codes"].values()), name
        for status in refusals:
            answer = each["responses"][status]
            if "$ref" in answer:
                answer = made["components"]["responses"][answer["$ref"].rpartition("/")[2]]
            kinds = [] if name.startswith("HEAD ") else ["application/problem+json"]
            assert list(answer.get("content", {})) == kinds, name
            for code in each["x-codes"][status]:
                assert f"`{code}`" in answer["description"], (name, status)
            if status in {"429", "503"}:
                assert answer["headers"]["Retry-After"]["required"], name


def test_an_operation_takes_every_accept_that_is_made_of_its_answers(
    made: Json, fresh_db: None
) -> None:
    """As programs do that were generated: all types of an operation, or those of its success alone."""
    key, number = open_study().key(), 0
    for name, each in operations(made).items():
        method, path = name.split()
        succeeding, all_types = set(), set()
        for status, answer in each["responses"].items():
            if "$ref" in answer:
                answer = made["components"]["responses"][answer["$ref"].rpartition("/")[2]]
            all_types |= set(answer.get("content", ()))
            succeeding |= set(answer.get("content", ())) if status < "400" else set()
        address = re.sub(r"\{category\}", "expression", path)
        address = re.sub(r"\{\w+\}", str(uuid4()), address)
        for types in {*succeeding, ", ".join(sorted(all_types))} - {""}:
            answer = api(key).generic(method, address, headers={"Accept": types})
            assert answer.status_code != 406, (name, types)
            number += 1
    assert number > 80


def examples(made: Json) -> Iterator[tuple[str, Json, Any]]:
    """Every example with its schema."""
    for name, each in operations(made).items():
        for parameter in each.get("parameters", ()):
            yield f"{name} {parameter['name']}", parameter["schema"], parameter["example"]
        bodies = [each["requestBody"]] if "requestBody" in each else []
        bodies += [answer for answer in each["responses"].values() if "$ref" not in answer]
        for body in bodies:
            for kind, content in body.get("content", {}).items():
                if "json" in kind or "form" in kind:
                    assert content.keys() & {"example", "examples"}, f"{name} {kind}"
                    given = content.get("examples", {"": {"value": content.get("example")}})
                    for one in given.values():
                        yield f"{name} {kind}", content["schema"], one["value"]


def test_every_example_is_what_its_schema_says(made: Json) -> None:
    number = 0
    for name, schema, value in examples(made):
        whole = {**schema, "components": made["components"]}  # where its references lead
        validator = Draft202012Validator(whole)
        assert not [error.message for error in validator.iter_errors(value)], name
        number += 1
    assert number > 40


SEND, ANSWER = ("requestBody", "content", "application/json", "schema"), "201"
POST = ("paths", "/x/", "post")
OLD: Json = {
    "paths": {
        "/x/": {
            "post": {
                "x-required-scopes": [],
                "parameters": [
                    {"in": "query", "name": "as", "schema": {"type": "string", "enum": ["a", "b"]}}
                ],
                "requestBody": {
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/In"}}}
                },
                "responses": {
                    "201": {
                        "content": {
                            "application/json": {"schema": {"$ref": "#/components/schemas/Out"}}
                        }
                    },
                    "422": {},
                },
            },
            "get": {"x-required-scopes": [], "responses": {"200": {}}},
        }
    },
    "components": {
        "schemas": {
            "In": {"properties": {"a": {"type": "string"}}, "required": ["a"]},
            "Out": {
                "properties": {
                    "id": {"type": "string"},
                    "in": {"type": "array", "items": {"$ref": "#/components/schemas/In"}},
                },
                "required": ["id", "in"],
            },
        }
    },
}


def at(made: Json, *path: Any) -> Any:
    for step in path:
        made = made[step]
    return made


Change = Callable[[Json], object]
BREAKING: dict[str, Change] = {
    "a path is gone": lambda new: new["paths"].clear(),
    "a method is gone": lambda new: new["paths"]["/x/"].pop("get"),
    "a parameter is gone": lambda new: at(new, *POST)["parameters"].clear(),
    "a word is not taken": lambda new: at(new, *POST, "parameters", 0, "schema", "enum").remove(
        "b"
    ),
    "a field takes some words only": lambda new: at(
        new, "components", "schemas", "In", "properties", "a"
    ).update(enum=["a"]),
    "a parameter is required": lambda new: at(new, *POST, "parameters", 0).update(required=True),
    "a new one is required": lambda new: at(new, *POST)["parameters"].append(
        {"in": "header", "name": "H", "required": True, "schema": {}}
    ),
    "a scope is needed": lambda new: at(new, *POST)["x-required-scopes"].append("a:b"),
    "a body is required": lambda new: at(new, *POST)["requestBody"].update(required=True),
    "a body is gone": lambda new: at(new, *POST).pop("requestBody"),
    "a field must be sent": lambda new: at(new, "components", "schemas", "In").update(
        required=["a", "b"]
    ),
    "a sent field has another type": lambda new: at(
        new, "components", "schemas", "In", "properties", "a"
    ).update(type="integer"),
    "a field of the answer is gone": lambda new: at(
        new, "components", "schemas", "Out", "properties"
    ).pop("id"),
    "a field of the answer may be missing": lambda new: at(
        new, "components", "schemas", "Out", "required"
    ).remove("id"),
    "a field of the answer may be null": lambda new: at(
        new, "components", "schemas", "Out", "properties", "id"
    ).update(type=["string", "null"]),
    "a field deep in a list is gone": lambda new: at(
        new, "components", "schemas", "In", "properties"
    ).pop("a"),
    "an answer is gone": lambda new: at(new, *POST, "responses").pop("201"),
    "an answer has another type": lambda new: at(new, *POST, "responses", "201").update(
        content={"text/csv": {}}
    ),
}
HARMLESS: dict[str, Change] = {
    "nothing": lambda new: None,
    "a path more": lambda new: new["paths"].update({"/y/": new["paths"]["/x/"]}),
    "a word more": lambda new: at(new, *POST, "parameters", 0, "schema", "enum").append("c"),
    "a parameter more": lambda new: at(new, *POST)["parameters"].append(
        {"in": "query", "name": "new", "schema": {}}
    ),
    "a field more": lambda new: at(new, "components", "schemas", "Out", "properties").update(
        more={"type": "string"}
    ),
    "a refusal less": lambda new: at(new, *POST, "responses").pop("422"),
    "a sent field may be null": lambda new: at(new, *POST).update(
        requestBody={
            "content": {
                "application/json": {
                    "schema": {"properties": {"a": {"type": ["string", "null"]}}, "required": ["a"]}
                }
            }
        }
    ),
}


@pytest.mark.parametrize("name", BREAKING)
def test_what_breaks_a_client_is_found(name: str) -> None:
    new = deepcopy(OLD)
    BREAKING[name](new)
    assert breaking(OLD, new), name


@pytest.mark.parametrize("name", HARMLESS)
def test_what_breaks_nobody_is_let_through(name: str) -> None:
    new = deepcopy(OLD)
    HARMLESS[name](new)
    assert not breaking(OLD, new), name
