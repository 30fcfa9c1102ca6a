"""The API of a film's series: the numbers of every moment, one data category at a time."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.actors import actor_of
from accounts.models import Scope
from accounts.permissions import HasScope
from consent.api import PROBLEMS, Problem
from emotion.api import ACCESS_REASON
from emotion.errors import NotFound, ParameterInvalid
from emotion.inference.series import MEASURED_IN, SUMMARY, document
from emotion.results import read_result
from emotion.sealed_series import as_csv, written

PARQUET = "application/vnd.apache.parquet"
FORMATS = {"json": "application/json", "csv": "text/csv", "parquet": PARQUET}
CATEGORIES = (SUMMARY, *MEASURED_IN)


class SeriesDetail(APIView):
    """The series of one data category."""

    permission_classes = (HasScope,)
    scopes = {"GET": Scope.RESULTS_READ}

    @extend_schema(
        operation_id="analyses_series",
        parameters=[
            ACCESS_REASON,
            OpenApiParameter(
                "as",
                str,
                enum=list(FORMATS),
                description="JSON says unit, range and model of every column; CSV and Apache Parquet hold "
                "the same columns as a table.",
            ),
        ],
        responses={
            (200, "application/json"): OpenApiTypes.OBJECT,
            (200, "text/csv"): OpenApiTypes.STR,
            (200, PARQUET): OpenApiTypes.BINARY,
            **dict.fromkeys((400, 409, 410, 503), Problem),
            **PROBLEMS,
        },
    )
    def get(self, request: Request, analysis_id: UUID, category: str) -> Response | HttpResponse:
        """Open the series: gate, then an entry in the access log, then the answer."""
        wanted = request.query_params.get("as", "json")
        if wanted not in FORMATS:
            raise ParameterInvalid(
                f"'as' must be one of {', '.join(FORMATS)}; something else came."
            )
        if category not in CATEGORIES:
            raise NotFound("There is no such data category.")
        opened = read_result(
            actor_of(request), analysis_id, request.headers.get("Access-Reason", ""), {category}
        )
        if category not in opened.series:
            raise NotFound("This analysis has no such series.")
        headers = {"Cache-Control": "no-store", "Log-Entry": str(opened.entry_id)}
        if wanted == "json":
            return Response(document(opened.series, category), headers=headers)
        table = opened.series[category]
        body = as_csv(table) if wanted == "csv" else written(table, {})
        return HttpResponse(body, content_type=FORMATS[wanted], headers=headers)
