"""The API of results: what was measured, and a film's series, as the client's ``Accept`` asks for.

Whether a client takes any of the formats is seen before anything is asked of the gate: it is a matter of
the request alone, so 406 tells nothing about anybody, opens nothing and makes no entry.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.utils.cache import patch_vary_headers
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.accepting import ByTheView, chosen
from accounts.actors import actor_of
from accounts.models import Scope
from accounts.permissions import HasScope
from accounts.problems import GATE, PROBLEMS, Problem, codes
from emotion.errors import NotFound
from emotion.inference.series import MEASURED_IN, SUMMARY, document
from emotion.result_rows import rows_of, table_as_csv
from emotion.results import STATED_REASONS, OpenResult, read_result
from emotion.sealed_series import as_csv, written

JSON, CSV, PARQUET = "application/json", "text/csv", "application/vnd.apache.parquet"
CATEGORIES = (SUMMARY, *MEASURED_IN)
ACCESS_REASON = OpenApiParameter(
    "Access-Reason",
    str,
    OpenApiParameter.HEADER,
    required=True,
    enum=[reason.value for reason in STATED_REASONS],
    description="Why you read it. The data subject sees it in the access log.",
)
READ_CODES = codes(
    "reason-required",
    "no-result",
    "not-ready",
    "not-acceptable",
    "erased",
    "key-destroyed",
    *GATE,
)
REFUSALS = {**dict.fromkeys((400, 406, 409, 410, 503), Problem), **PROBLEMS}


class ResultOutput(serializers.Serializer[Any]):
    """What the face showed, by data category; every part has a schema of its own with a version."""

    analysis = serializers.UUIDField()
    log_entry = serializers.UUIDField(help_text="The access-log entry of this very read.")
    parts = serializers.DictField(child=serializers.JSONField())


class ResultView(APIView):
    """What opens results: the answer is kept by nobody, and has no tag that would tell two apart."""

    permission_classes = (HasScope,)
    scopes = {"GET": Scope.RESULTS_READ}
    content_negotiation_class = ByTheView

    def opened(self, request: Request, analysis_id: UUID, series: set[str]) -> OpenResult:
        """The walk out: look-up, gate, entry, gate, key."""
        stated = request.headers.get("Access-Reason", "")
        return read_result(actor_of(request), analysis_id, stated, series)


def released(
    body: bytes | dict[str, Any], kind: str, opened: OpenResult
) -> HttpResponse | Response:
    """The answer with what was opened, and the entry that says so."""
    response: HttpResponse | Response = (
        HttpResponse(body, content_type=kind) if isinstance(body, bytes) else Response(body)
    )
    response.headers["Cache-Control"] = "no-store"
    response.headers["Log-Entry"] = str(opened.entry_id)
    patch_vary_headers(response, ("Accept",))
    return response


class ResultDetail(ResultView):
    """What an analysis measured."""

    @extend_schema(
        operation_id="analyses_result",
        summary="Read a result",
        description="What was measured, as JSON, or as CSV: one row for each figure.",
        parameters=[ACCESS_REASON],
        responses={(200, JSON): ResultOutput, (200, CSV): OpenApiTypes.STR, **REFUSALS},
        extensions=READ_CODES,
    )
    def get(self, request: Request, analysis_id: UUID) -> Response | HttpResponse:
        """Open the result: gate, then an entry in the access log, then the answer."""
        kind = chosen(request, (JSON, CSV))
        opened = self.opened(request, analysis_id, set())
        if kind == CSV:
            return released(table_as_csv(rows_of(opened.parts), {}), kind, opened)
        body = {"analysis": analysis_id, "log_entry": opened.entry_id, "parts": opened.parts}
        return released(body, kind, opened)


class SeriesDetail(ResultView):
    """The series of one data category of a film."""

    @extend_schema(
        operation_id="analyses_series",
        summary="Read the series of a film",
        description="The numbers of every moment. JSON says unit, range and model of every column; CSV and "
        "Apache Parquet hold the same columns as a table.",
        parameters=[ACCESS_REASON],
        responses={
            (200, JSON): OpenApiTypes.OBJECT,
            (200, CSV): OpenApiTypes.STR,
            (200, PARQUET): OpenApiTypes.BINARY,
            **REFUSALS,
        },
        extensions=READ_CODES,
    )
    def get(self, request: Request, analysis_id: UUID, category: str) -> Response | HttpResponse:
        """Open the series: gate, then an entry in the access log, then the answer."""
        kind = chosen(request, (JSON, CSV, PARQUET))
        if category not in CATEGORIES:
            raise NotFound("There is no such data category.")
        opened = self.opened(request, analysis_id, {category})
        if category not in opened.series:
            raise NotFound("This analysis has no such series.")
        table = opened.series[category]
        if kind == JSON:
            return released(document(opened.series, category), kind, opened)
        return released(as_csv(table) if kind == CSV else written(table, {}), kind, opened)
