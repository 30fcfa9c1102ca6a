"""The OpenAPI document: what is the same for all operations is added here, once.

``with_heads`` runs before drf-spectacular asks every view, ``finish`` after it
(``SPECTACULAR_SETTINGS``). It adds the answers that any operation can give, the codes behind each status,
and an example of everything.
"""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from http import HTTPStatus
from typing import Any

from django.utils import translation
from drf_spectacular.generators import SchemaGenerator

from accounts.accepting import PROBLEM
from config.errors import MEDIA_STATUS, REASON_STATUS, STATUS, problem
from config.schema_examples import example_of
from consent.errors import REFUSALS, ConsentRefused
from emotion.inference.media import MediaCode

Json = dict[str, Any]
Shared = tuple[str, str, list[str]]
"""An answer that operations have in common: the name of the shared response, its words, its codes."""

ANYWHERE: dict[int, Shared] = {
    401: ("NoKey", "No key, or not a live one.", ["not-authenticated", "invalid-key"]),
    406: ("NotAcceptable", "None of the types that Accept names.", ["not-acceptable"]),
    429: ("TooOften", "Too often; Retry-After says when to go on.", ["throttled"]),
    500: ("Fault", "A fault that nobody expected. Nothing was lost.", ["server-error"]),
    503: (
        "Later",
        "Database, log or keys cannot be used just now: nothing was opened or kept.",
        [
            "database-unavailable",
            "cache-unavailable",
            "log-unavailable",
            "keystore-unavailable",
            "key-provider-unavailable",
            "root-key-missing",
            "wrong-root-key",
            "insecure-key-file",
        ],
    ),
}
"""What any operation may answer."""
WITH_SCOPE: dict[int, Shared] = {
    403: ("NoScope", "The key lacks the scope.", ["permission-denied"]),
}
WITH_BODY: dict[int, Shared] = {
    400: ("NoJson", "The body cannot be read.", ["parse-error", "bad-request"]),
    413: ("BodyTooLarge", "The body is too large.", ["body-too-large"]),
    415: ("WrongType", "Another type of body than the one expected.", ["unsupported-media-type"]),
    422: ("Invalid", "Some fields are not as they should be; errors names each.", ["invalid"]),
}
NOT_THERE = ("NotThere", "It does not exist, or it is not yours.", ["not-found"])
ELSEWHERE = {"invalid": 422, "not-found": 404, "upload-invalid": 400, "bad-request": 400}
USUAL = {404: ["not-found"], 410: ["erased", "key-destroyed"], 422: ["invalid"]}
"""Of a status for which an operation names no code of its own."""
HEADERS: dict[int, Json] = {
    401: {"WWW-Authenticate": "How to sign in."},
    429: {"Retry-After": "Seconds after which to go on."},
    503: {"Retry-After": "Seconds after which to try again."},
}
RATE = {
    "RateLimit-Policy": 'The limits, by name: quota and window in seconds, `"requests";q=3000;w=60`.',
    "RateLimit": 'What is left of each, and the seconds until it begins anew, `"requests";r=2999;t=42`.',
}


@cache
def document() -> Json:
    """The whole document, in English; made once in a process, because it does not change while it runs."""
    with translation.override("en"):
        made: Json = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]  # drf-spectacular types no constructor
    return made


@cache
def status_of_code() -> dict[str, int]:
    """The status of every code that an error of ours can have."""
    known = {str(code): REASON_STATUS.get(code, 403) for code in REFUSALS}
    known |= {str(code): MEDIA_STATUS.get(code, 422) for code in MediaCode}
    known |= {
        kind.code: status
        for kind, status in STATUS.items()
        if hasattr(kind, "code") and kind is not ConsentRefused
    }
    for status, (_name, _words, codes) in (ANYWHERE | WITH_SCOPE | WITH_BODY).items():
        known |= dict.fromkeys(codes, status)
    return known | ELSEWHERE


Endpoint = tuple[str, str, str, Any]
"""As drf-spectacular lists them: path, its expression, method, view."""


def with_heads(endpoints: list[Endpoint]) -> list[Endpoint]:
    """The hook before: a HEAD that a view answers by itself, not as its GET, is an operation too."""
    own = {
        (path, expression, "HEAD", view)
        for path, expression, _method, view in endpoints
        if hasattr(view.cls, "head")
    }
    return [*endpoints, *own]


def finish(result: Json, **_others: Any) -> Json:
    """The hook after: every operation gets its shared answers, its codes and its examples."""
    components = result.setdefault("components", {})
    components["responses"] = {}
    for path in result["paths"].values():
        for method, operation in path.items():
            add_answers(operation, components)
            if method == "head":
                drop_bodies(operation, components)
            add_examples(operation, components)
    return result


def drop_bodies(operation: Json, components: Json) -> None:
    """Of answers that are headers alone: what they would say, without a body."""
    for status, each in operation["responses"].items():
        named = each.get("$ref", "").rpartition("/")[2]
        told = dict(components["responses"][named] if named else each)
        told.pop("content", None)
        operation["responses"][status] = told


def shared(operation: Json) -> dict[int, Shared]:
    """The answers that this operation has in common with others."""
    found = dict(ANYWHERE)
    if operation["x-required-scopes"]:
        found |= WITH_SCOPE
    if "application/json" in operation.get("requestBody", {}).get("content", {}):
        found |= WITH_BODY
    if any(each["in"] == "path" for each in operation.get("parameters", ())):
        found[404] = NOT_THERE
    return found


def add_answers(operation: Json, components: Json) -> None:
    """Complete the answers of an operation, and say which codes each status can have."""
    common, answers = shared(operation), operation["responses"]
    codes = codes_by_status(operation, common)
    for status, possible in codes.items():
        name, words, usual = common.get(status, ("", "", []))
        if possible == usual:
            components["responses"].setdefault(name, answer(status, words, possible))
            answers[str(status)] = {"$ref": f"#/components/responses/{name}"}
        else:
            said = answers.get(str(status), {}).get("description") or words
            answers[str(status)] = answer(status, said, possible)
    for status, each in answers.items():
        if status < "400":
            each["description"] = each["description"] or HTTPStatus(int(status)).phrase
            rates = {name: header(text, required=False) for name, text in RATE.items()}
            each.setdefault("headers", {}).update(rates)
    operation["responses"] = dict(sorted(answers.items()))
    operation["x-codes"] = {str(status): codes[status] for status in sorted(codes)}


def codes_by_status(operation: Json, common: dict[int, Shared]) -> dict[int, list[str]]:
    """The codes of each refusal: the shared ones, then the operation's own, which are taken from it."""
    codes = {status: list(each[2]) for status, each in common.items()}
    for code in operation.pop("x-codes", []):
        codes.setdefault(status_of_code()[code], []).append(code)
    for status in map(int, operation["responses"]):
        if status >= 400 and status not in codes:
            codes[status] = list(USUAL[status])  # any other the view must name
    return {status: list(dict.fromkeys(possible)) for status, possible in codes.items()}


def header(text: str, *, required: bool = True) -> Json:
    """A header of an answer."""
    return {"description": text, "required": required, "schema": {"type": "string"}}


def answer(status: int, words: str, codes: list[str]) -> Json:
    """The answer of an error."""
    listed = ", ".join(f"`{code}`" for code in codes)
    example = problem(status, codes[0], words or "…")
    schema = {"$ref": "#/components/schemas/Problem"}
    made: Json = {"description": f"{words} Codes: {listed}.".strip()}
    if status in HEADERS:
        made["headers"] = {name: header(text) for name, text in HEADERS[status].items()}
    made["content"] = {PROBLEM: {"schema": schema, "example": example}}
    return made


def add_examples(operation: Json, components: Json) -> None:
    """An example of the request and of each answer, where the view has given none."""
    bodies = [operation.get("requestBody", {})]
    bodies += [each for status, each in operation["responses"].items() if status < "400"]
    for body in bodies:
        for kind, content in body.get("content", {}).items():
            if kind.endswith("json") or kind == "multipart/form-data":
                given = content.keys() & {"example", "examples"}
                if not given and (schema := content.get("schema")):
                    content["example"] = example_of(deepcopy(schema), components["schemas"])
    for parameter in operation.get("parameters", ()):
        if not parameter.keys() & {"example", "examples"}:
            name, schema = parameter["name"], parameter["schema"]
            parameter["example"] = example_of(schema, components["schemas"], name)
