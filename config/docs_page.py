"""The page that shows the OpenAPI document to people, drawn on the server from the document itself."""

from __future__ import annotations

import json
from functools import cache
from http.client import responses
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.gzip import gzip_page

from accounts.models import Scope
from config.errors import WRONG_METHOD, api_problem
from config.schema import document

Json = dict[str, Any]

STORY = ("client", "purposes", "consent-requests", "subjects", "uploads", "recordings", "analyses")


@csrf_exempt  # it takes no form; a POST is 405 like anywhere else under /api/
@gzip_page  # nothing secret is in it: the same for everybody
def api_docs(request: HttpRequest) -> HttpResponse:
    """Every operation with its scopes, parameters, an example that can be run, answers and codes."""
    if request.method not in {"GET", "HEAD"}:
        refused = api_problem(405, "method-not-allowed", WRONG_METHOD)
        refused["Allow"] = "GET, HEAD"
        return refused
    return render(request, "api/docs.html", context())


@cache
def context() -> Json:
    """What the template shows; made once in a process, like the document, and in English like it."""
    made = document()
    groups: dict[str, list[Json]] = {}
    for path, methods in made["paths"].items():
        for method, operation in methods.items():
            shown = operation_shown(path, method, operation, made["components"])
            groups.setdefault(operation["tags"][0], []).append(shown)
    return {
        "groups": [
            (name.replace("-", " ").capitalize(), groups[name])
            for name in sorted(groups, key=place)
        ],
        "objects": objects(made["components"]["schemas"]),
        "scopes": [(str(value), label) for value, label in Scope.choices],
        "base": f"{settings.SITE_URL}/api/v1",
    }


def place(tag: str) -> tuple[int, str]:
    """Groups in the order in which a study meets them, then by name."""
    known = STORY.index(tag) if tag in STORY else len(STORY)
    return known, tag


def operation_shown(path: str, method: str, operation: Json, components: Json) -> Json:
    """One operation in the template's words."""
    kinds: Json = operation.get("requestBody", {}).get("content", {})
    kind = next(iter(kinds), "")
    body: Json = kinds.get(kind, {})
    return {
        "id": operation["operationId"],
        "method": method.upper(),
        "path": path.removeprefix("/api/v1"),
        "summary": operation["summary"],
        "description": operation.get("description", ""),
        "scopes": operation["x-required-scopes"],
        "parameters": [parameter_shown(each) for each in operation.get("parameters", ())],
        "body_kind": kind,
        "body_object": name_of(body.get("schema", {})),
        "curl": curl(path, method, operation),
        "answers": [answer_shown(*each) for each in good(operation)],
        "refusals": [
            (status, phrase(status), codes) for status, codes in operation["x-codes"].items()
        ],
    }


def phrase(status: str) -> str:
    """The usual words for a status; those of tus for the one that is in no registry."""
    return responses.get(int(status), "Checksum Mismatch")


def good(operation: Json) -> list[tuple[str, Json]]:
    """The answers that are no errors."""
    return [(status, each) for status, each in operation["responses"].items() if status < "400"]


def name_of(schema: Json) -> str:
    """The name of the object that a schema is, or is a list of."""
    return str(schema.get("$ref") or schema.get("items", {}).get("$ref", "")).rpartition("/")[2]


def type_of(schema: Json) -> str:
    """A type in a few words: `string (uuid) or null`, `list of string`."""
    if name := str(schema.get("$ref", "")).rpartition("/")[2]:
        return name
    for inner in ("allOf", "oneOf", "anyOf"):
        if inner in schema:
            return " or ".join(type_of(each) for each in schema[inner])
    given = schema.get("type", "object")
    kinds = [given] if isinstance(given, str) else list(given)
    if "array" in kinds:
        return f"list of {type_of(schema.get('items', {}))}"
    words = " or ".join(kinds)
    return f"{words} ({schema['format']})" if "format" in schema else words


def field_shown(name: str, schema: Json, required: bool) -> Json:
    """One field or parameter: name, type, whether it must be there, allowed words, description."""
    words = allowed(schema) or allowed(schema.get("items", {}))
    return {
        "name": name,
        "type": "string" if words and name_of(schema) else type_of(schema),
        "object": "" if words else name_of(schema),
        "required": required,
        "enum": words,
        "description": schema.get("description", ""),
    }


def allowed(schema: Json) -> list[str]:
    """The words of a closed list, also of one that has a name of its own in the document."""
    if name := str(schema.get("$ref", "")).rpartition("/")[2]:
        schema = document()["components"]["schemas"][name]
    return [each for each in schema.get("enum", ()) if each is not None]


def parameter_shown(parameter: Json) -> Json:
    """A parameter, with where it goes."""
    schema = {**parameter["schema"], "description": parameter.get("description", "")}
    shown = field_shown(parameter["name"], schema, bool(parameter.get("required")))
    return shown | {"where": parameter["in"]}


def answer_shown(status: str, answer: Json) -> Json:
    """An answer with its types and, for JSON, an example."""
    kinds: Json = answer.get("content", {})
    first: Json = next(iter(kinds.values()), {})
    example = first.get("example")
    return {
        "status": status,
        "phrase": phrase(status),
        "kinds": list(kinds),
        "object": name_of(first.get("schema", {})),
        "example": json.dumps(example, indent=1, ensure_ascii=False) if example else "",
    }


def objects(schemas: Json) -> list[Json]:
    """Every named object with its fields; lists of words have no fields and stand where they are used."""
    return [
        {
            "name": name,
            "description": schema.get("description", ""),
            "fields": [
                field_shown(each, field, each in schema.get("required", ()))
                for each, field in schema["properties"].items()
            ],
        }
        for name, schema in sorted(schemas.items())
        if "properties" in schema
    ]


def body_of(operation: Json, method: str) -> list[str]:
    """What a command sends: the example, as the operation's first kind of body."""
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        example = content.get("example", {})
        if kind == "multipart/form-data":
            required = {"file", *content["schema"].get("required", ())} | {"subject", "purpose"}
            fields = [(k, v) for k, v in example.items() if k in required]
            return [f"-F {k}={'@' if k == 'file' else ''}{v}" for k, v in fields]
        if kind.endswith("json"):
            sent = json.dumps(example, ensure_ascii=False)
            return [f"-H \"Content-Type: {kind}\" -d '{sent}'"]
        if method != "post":  # a beginning may bring bytes, but need not
            return [f'-H "Content-Type: {kind}" --data-binary @film.mp4']
    return []


def curl(path: str, method: str, operation: Json) -> str:
    """A command that asks for this, with the example values filled in."""
    query, lines = [], ['curl -H "Authorization: Bearer $KEY"']
    body = body_of(operation, method)
    if method != ("post" if body else "get"):
        lines[0] += f" -X {method.upper()}"
    for each in operation.get("parameters", ()):
        name, value = each["name"], each["example"]
        if each["in"] == "path":
            path = path.replace(f"{{{name}}}", quote(str(value)))
        elif each["in"] == "header" and each.get("required"):
            lines.append(f'-H "{name}: {value}"')
        elif each["in"] == "query" and each.get("required"):
            query.append(f"{name}={quote(str(value))}")
    lines += body
    address = settings.SITE_URL + path + ("?" + "&".join(query) if query else "")
    return " \\\n  ".join([*lines, f'"{address}"'])
