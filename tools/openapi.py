"""``make schema``: write ``docs/openapi.json`` anew from the code, unless that would break clients.

``python -m tools.openapi [--breaking]``. What breaks a client is said line by line and nothing is written,
except with ``--breaking``, which whoever decides to break clients has to say.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "docs" / "openapi.json"
METHODS = ("get", "put", "post", "delete", "patch", "head")

Json = dict[str, Any]


def written(document: Json) -> str:
    """The document as the file has it."""
    return json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def generated() -> Json:
    """What the code says now."""
    with tempfile.TemporaryDirectory(prefix="consentry-schema-") as folder:
        os.environ["SECRET_KEY"] = secrets.token_urlsafe(48)
        os.environ |= {"CONSENTRY_VAR": folder, "CONSENTRY_KEYS": folder}
        os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
        import django

        django.setup()
        from config.schema import document

        made: Json = json.loads(json.dumps(document()))
        return made


def operations(document: Json) -> dict[str, Json]:
    """Every operation, by its method and path."""
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    }


def breaking(old: Json, new: Json) -> list[str]:
    """What a client that was written for the old document would stumble over, a sentence each."""
    found, before, after = [], operations(old), operations(new)
    for name, was in before.items():
        now = after.get(name)
        if now is None:
            found.append(f"{name} is gone")
            continue
        found += [f"{name}: {text}" for text in changed(was, now, old, new)]
    return found


def changed(was: Json, now: Json, old: Json, new: Json) -> Iterator[str]:
    """What breaks in one operation."""
    yield from scopes_and_parameters(was, now, old, new)
    body, later = was.get("requestBody", {}), now.get("requestBody", {})
    if later.get("required") and not body.get("required"):
        yield "a body is required now"
    for kind, content in body.get("content", {}).items():
        if kind not in later.get("content", {}):
            yield f"a body of {kind} is not taken any more"
        else:
            pair = (content.get("schema", {}), later["content"][kind].get("schema", {}))
            yield from narrowed(*pair, old, new, "body", sent=True)
    for status, answer in was["responses"].items():
        if status >= "400":
            continue
        if status not in now["responses"]:
            yield f"the answer {status} is gone"
            continue
        for kind, content in answer.get("content", {}).items():
            there = now["responses"][status].get("content", {})
            if kind not in there:
                yield f"the answer {status} as {kind} is gone"
            else:
                pair = (content.get("schema", {}), there[kind].get("schema", {}))
                yield from narrowed(*pair, old, new, f"answer {status}", sent=False)


def scopes_and_parameters(was: Json, now: Json, old: Json, new: Json) -> Iterator[str]:
    """What breaks before the body."""
    for scope in set(now.get("x-required-scopes", ())) - set(was.get("x-required-scopes", ())):
        yield f"the scope {scope} is needed now"
    before = {(each["in"], each["name"]): each for each in was.get("parameters", ())}
    after = {(each["in"], each["name"]): each for each in now.get("parameters", ())}
    for where, name in before.keys() - after.keys():
        yield f"the {where} parameter {name} is gone"
    for (where, name), parameter in after.items():
        known = before.get((where, name))
        if parameter.get("required") and not (known and known.get("required")):
            yield f"the {where} parameter {name} is required now"
        if known:
            pair = (known.get("schema", {}), parameter.get("schema", {}))
            yield from narrowed(*pair, old, new, f"parameter {name}", sent=True)


def resolved(schema: Json, document: Json) -> Json:
    """The schema that a reference stands for."""
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def types(schema: Json) -> set[str]:
    """The types that a schema names; none: any."""
    given = schema.get("type", [])
    return {given} if isinstance(given, str) else set(given)


def narrowed(
    was: Json, now: Json, old: Json, new: Json, where: str, *, sent: bool
) -> Iterator[str]:
    """What a schema does not take any more (``sent``), or an answer does not hold as it did."""
    was, now = resolved(was, old), resolved(now, new)
    before, after = types(was), types(now)
    if (before - after if sent else after - before) and after:
        yield f"{where} was of type {sorted(before)}, now {sorted(after)}"
        return
    if sent:
        yield from fewer_words(was, now, where)
        for name in set(now.get("required", ())) - set(was.get("required", ())):
            yield f"{where}/{name} is required now"
    else:
        for name in set(was.get("required", ())) - set(now.get("required", ())):
            yield f"{where}/{name} may be missing now"
    fields = now.get("properties", {})
    for name, field in was.get("properties", {}).items():
        if name not in fields:
            yield f"{where}/{name} is gone"
        else:
            yield from narrowed(field, fields[name], old, new, f"{where}/{name}", sent=sent)
    for inner in ("items", "additionalProperties"):
        if isinstance(was.get(inner), dict) and isinstance(now.get(inner), dict):
            yield from narrowed(was[inner], now[inner], old, new, f"{where}/*", sent=sent)


def fewer_words(was: Json, now: Json, where: str) -> Iterator[str]:
    """Which words a schema does not take any more; all others where it took any before."""
    if "enum" not in now:
        return
    if "enum" not in was:
        yield f"{where} takes only {', '.join(sorted(map(str, now['enum'])))} now"
    elif gone := set(was["enum"]) - set(now["enum"]):
        yield f"{where} does not take {', '.join(sorted(map(str, gone)))} any more"


def main(arguments: list[str]) -> int:
    """Write the file; returns 1, and writes nothing, when that would break clients."""
    parser = argparse.ArgumentParser(description="Write docs/openapi.json anew.")
    parser.add_argument("--breaking", action="store_true", help="also when it breaks clients")
    forced = parser.parse_args(arguments).breaking
    new = generated()
    found = breaking(json.loads(FILE.read_text()), new) if FILE.exists() else []
    for line in found:
        print(f"breaks clients: {line}", file=sys.stderr)
    if found and not forced:
        print("nothing was written; ARGS=--breaking writes it all the same", file=sys.stderr)
        return 1
    FILE.write_text(written(new))
    print(f"{FILE.relative_to(ROOT)}: {len(operations(new))} operations")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
