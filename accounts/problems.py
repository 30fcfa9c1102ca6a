"""How an error of the API looks in the OpenAPI document: RFC 9457 problem details with a stable code.

A view names the statuses that are its own (``Problem`` for each); those that every operation has, the
media type and the possible codes are added for all operations alike, by ``config.schema``.
"""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiResponse
from rest_framework import serializers


class FieldProblem(serializers.Serializer[Any]):
    """What is wrong with one field, and where it is."""

    pointer = serializers.CharField(
        required=False, help_text="JSON pointer into the body; empty: the body as a whole."
    )
    parameter = serializers.CharField(
        required=False, help_text="Instead of a pointer: the parameter of the address."
    )
    detail = serializers.CharField()


class Problem(serializers.Serializer[Any]):
    """An error: RFC 9457 problem details with a stable code."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField(help_text="Stable, for programs.")
    detail = serializers.CharField(help_text="For people, in the language of Accept-Language.")
    errors = FieldProblem(  # type: ignore[assignment]  # DRF takes fields off the class: the property stays
        many=True, required=False, help_text="What is wrong field by field."
    )
    log_entry = serializers.UUIDField(
        required=False, help_text="The access-log entry that this refusal made."
    )


NO_KEY = {401: OpenApiResponse(Problem, "No key, or not a live one.")}
PROBLEMS = {
    **NO_KEY,
    403: OpenApiResponse(Problem, "The key lacks the scope."),
    404: OpenApiResponse(Problem, "It does not exist, or it is not yours."),
}


def codes(*names: str) -> dict[str, list[str]]:
    """The codes that are an operation's own, as an extension for ``extend_schema``."""
    return {"x-codes": list(names)}


GATE = codes(
    "no-consent",
    "consent-refused",
    "consent-withdrawn",
    "consent-expired",
    "consent-changed",
    "category-not-consented",
    "processing-restricted",
    "purpose-not-open",
    "retention-not-set",
    "retention-passed",
    "recording-disputed",
    "being-erased",
    "clock-wrong",
)["x-codes"]
"""With which the gate refuses an upload or a read."""
