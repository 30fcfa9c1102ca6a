"""The examples and tables of docs/api.md against the OpenAPI document."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

from accounts.problems import GATE
from config.schema import document, status_of_code
from emotion.inference.media_codes import MediaCode

Json = dict[str, Any]
DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "api.md").read_text()
MODELS = (DOCS / "models.md").read_text()
LEFT_OUT = "..."
NAMED = re.compile(r"`(GET|POST|PUT|DELETE) ([a-z][^`]*)`")
COMMAND = re.compile(r"curl ((?:.|\n)*?)http://localhost:8000/api/v1/(\S*)")
ANSWER = re.compile(r"(?:HTTP/1\.1 (\d+) .*\n(?:[\w-]+: .*\n)*\n)?([{\[](?:.|\n)*)")


def template(path: str) -> str:
    """The path with its ids replaced, as the keys of ``operations`` have it."""
    path = re.sub(r"[\"']|\?.*|-o .*", "", path)
    return re.sub(r"<[^>]*>|\$[A-Z]+|[0-9a-f]{8}-[0-9a-f-]{27}|(?<=keys/)[0-9a-f]{10}", "{}", path)


def operations() -> dict[tuple[str, str], Json]:
    found = {}
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            key = re.sub(r"\{[^}]*\}", "{}", path.removeprefix("/api/v1/"))
            found[method.upper(), key] = operation
    return found


def examples() -> Iterator[tuple[tuple[str, str], int, Any]]:
    """Each answer on the page: the operation that was last named, the status, the body."""
    asked = ("", "")
    for number, part in enumerate(PAGE.split("```")):
        fenced, part = number % 2 == 1, part.strip()
        if not fenced:
            for method, path in NAMED.findall(part):
                asked = method, template(path)
        elif command := COMMAND.search(part):
            options, path = command.groups()
            said = re.search(r"-X (\w+)", options)
            brings = re.search(r"-[dF] ", options)
            asked = said[1] if said else "POST" if brings else "GET", template(path)
        elif answer := ANSWER.fullmatch(part):
            yield asked, int(answer[1] or 200), json.loads(answer[2])


EXAMPLES = [
    each for each in examples() if "marks" not in each[2]
]  # what a field holds is no answer


def resolved(schema: Json) -> Json:
    while "$ref" in schema:
        schema = document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    choices = schema.get("oneOf", schema.get("allOf", [schema]))
    return choices[0] if choices == [schema] else resolved(choices[0])


def compare(value: Any, schema: Json, where: str) -> None:
    """That the value has all fields that the schema requires and no unknown one, down to the leaves."""
    schema = resolved(schema)
    if isinstance(value, list) and "items" in schema:
        for each in value:
            if each != LEFT_OUT:
                compare(each, schema["items"], f"{where}[]")
    if isinstance(value, dict) and "properties" in schema:
        given = set(value) - {LEFT_OUT}
        assert given <= set(schema["properties"]), where
        assert LEFT_OUT in value or given >= set(schema["required"]), where
        for name in given:
            compare(value[name], schema["properties"][name], f"{where}.{name}")


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_has_the_fields_of_the_document(number: int) -> None:
    asked, status, body = EXAMPLES[number]
    if status >= 400:
        compare(body, {"$ref": "#/components/schemas/Problem"}, str(asked))
        assert told()[body["code"]] == status == body["status"]
        assert (body["code"] in GATE) == ("log_entry" in body)
    else:
        content = operations()[asked]["responses"][str(status)]["content"]
        compare(body, content["application/json"]["schema"], str(asked))


def test_enough_examples_were_found() -> None:
    assert len(EXAMPLES) > 20
    assert all(asked in operations() for asked, _status, _body in EXAMPLES)


def told() -> dict[str, int]:
    """The status of each code in the tables of the page."""
    rows = re.findall(r"^\| ([\d, ]+) \| ([^|]*) \|", PAGE, re.MULTILINE)
    found = {}
    for statuses, codes in rows:
        for status, code in zip_longest(
            statuses.split(", "), re.findall(r"`([a-z-]+)`", codes), fillvalue=""
        ):
            if code:
                found[code] = int(status or statuses.split(", ")[-1])
    return found


def test_every_code_of_the_document_is_explained_under_its_status() -> None:
    listed = {
        code: int(status)
        for operation in operations().values()
        for status, codes in operation["x-codes"].items()
        for code in codes
    }
    of_files = set(re.findall(r"^\| `((?:media|film)-[a-z-]+)` \|", MODELS, re.MULTILINE))
    assert {code.value for code in MediaCode} <= of_files | set(told())
    explained = {code: status for code, status in told().items() if code in listed}
    assert explained == {
        code: status for code, status in listed.items() if code not in of_files - set(told())
    }


def test_no_code_is_explained_that_nothing_answers_with() -> None:
    known = status_of_code() | {"method-not-allowed": 405}  # of an address, not of an operation
    assert {code: known.get(code) for code in told()} == told()
