"""Examples of the OpenAPI document: made from the schema, so that none can be out of date."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

BY_NAME: dict[str, Any] = {
    "subject": "ISS-115",
    "email": "val@example.org",
    "Idempotency-Key": "session-1-frame-1",
    "Access-Reason": "study-analysis",
    "code": "no-consent",
    "name": "Laboratory",
    "media_type": "image/jpeg",
    "media_code": "",
    "reason": "",
    "markers": '{"marks": [{"at": 12.5, "name": "clip 1"}], "baseline": [0, 5]}',
    "file": "astronaut.jpg",
    "categories": ["expression", "blendshapes"],
    "category": "expression",
    "progress": 1.0,
    "seconds": None,
    "prefix": "0123456789",
    "key": "cns_0123456789_ZkD2l0Yq9wH3o8c1u5t7bXJ4s6vRNaPmKeGfQyTiLxE",
    "networks": ["192.0.2.0/24", "2001:db8::/32"],
    "parts": {"expression": {"schema": 2, "top": "happy", "set": ["happy"], "unit": "probability"}},
    "next": None,
    "previous": None,
    "cursor": "cD0wMWEyMDViYw==",
    "acknowledged_at": None,
    "erased_at": None,
    "disputed_at": None,
    "finished_at": None,
    "revoked_at": None,
}
"""What stands in the examples for fields of these names, where their schema allows it."""
ONE_ID = "01a205bc-c9e1-75ee-a94a-f64a27971448"
PLAIN: Json = {
    "uuid": ONE_ID,
    "date-time": "2026-11-28T09:12:44.102000Z",
    "date": "2026-11-28",
    "uri": f"https://study.example.org/api/v1/recordings/{ONE_ID}/",
    "email": "val@example.org",
    "binary": "astronaut.jpg",
    "integer": 1,
    "number": 1.0,
    "boolean": True,
    "string": "text",
}


def types_of(schema: Json) -> list[str]:
    """The types that a schema allows; OpenAPI 3.1 writes one or a list of them."""
    given = schema.get("type", "object" if "properties" in schema else [])
    return [given] if isinstance(given, str) else list(given)


def fits(value: Any, schema: Json) -> bool:
    """Whether a value has a type that the schema allows; what the schema leaves open fits."""
    kinds: dict[str, Any] = {
        "string": str,
        "integer": int,
        "number": (int, float),
        "boolean": bool,
        "array": list,
        "object": dict,
        "null": type(None),
    }
    wanted = types_of(schema)
    if isinstance(value, list) and "items" in schema:
        items = schema["items"]
        return "$ref" not in items and all(fits(each, items) for each in value)
    return not wanted or any(isinstance(value, kinds[kind]) for kind in wanted)


def example_of(schema: Json, schemas: Json, name: str = "") -> Any:
    """A value that the schema allows."""
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].rpartition("/")[2]], schemas, name)
    if "allOf" in schema or "oneOf" in schema or "anyOf" in schema:
        first = (schema.get("allOf") or schema.get("oneOf") or schema["anyOf"])[0]
        return example_of(first, schemas, name)
    for given in ("example", "default", "const"):
        if given in schema:
            return schema[given]
    if "enum" in schema:
        known = BY_NAME.get(name)
        return known if known in schema["enum"] else schema["enum"][0]
    if name in BY_NAME and schema.get("format") != "uuid" and fits(BY_NAME[name], schema):
        return BY_NAME[name]
    return built(schema, schemas, name)


def built(schema: Json, schemas: Json, name: str) -> Any:
    """A value put together from what the schema says."""
    kinds = [kind for kind in types_of(schema) if kind != "null"] or ["object"]
    if kinds[0] == "array":
        return [example_of(schema.get("items", {}), schemas, name.removesuffix("s"))]
    if kinds[0] == "object":
        fields = schema.get("properties", {})
        return {each: example_of(fields[each], schemas, each) for each in fields}
    value: Any = PLAIN.get(schema.get("format", ""), PLAIN[kinds[0]])
    if kinds[0] in {"integer", "number"}:
        return max(value, schema.get("minimum", value))
    return value
