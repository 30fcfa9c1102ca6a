"""The floor of ``benchmarks.api``: views that do nothing, on the same server as the product.

What lies under ``bare/`` is answered without any middleware (``benchmarks._api_wsgi``), what lies under
``inside/`` behind the product's.
"""

from __future__ import annotations

import json
import os
from typing import Any

from django.db import connection, transaction
from django.http import HttpRequest, JsonResponse
from django.urls import include, path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

SMALL = {"status": "given", "categories": ["media", "expression", "blendshapes"]}
DOCUMENT: Any = json.loads(os.environ.get("BENCH_DOCUMENT", "null"))
"""The very result that is read, so that both render the same bytes."""
CHUNK = 64 * 1024


def django_view(_request: HttpRequest) -> JsonResponse:
    return JsonResponse(SMALL)


class Bare(APIView):
    """No key, no permission, no limit."""

    authentication_classes = ()
    permission_classes = ()
    answer: Any = SMALL

    def get(self, _request: Request) -> Response:
        return Response(self.answer)


class Noting(Bare):
    """Answers once one row is in the database to stay: less no read can do that is written down first."""

    def get(self, request: Request) -> Response:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("INSERT INTO bench_note (what) VALUES ('read')")
        return super().get(request)


class Taking(Bare):
    """Reads a body and throws it away."""

    def post(self, request: Request) -> Response:
        size = 0
        while chunk := request._request.read(CHUNK):
            size += len(chunk)
        return Response({"size": size}, status=202)


urlpatterns = [
    path("bare/django/", django_view),
    path("bare/drf/", Bare.as_view()),
    path("bare/document/", Bare.as_view(answer=DOCUMENT)),
    path("bare/noting/", Noting.as_view()),
    path("bare/taking/", Taking.as_view()),
    path("inside/drf/", Bare.as_view()),
    path("", include("config.urls")),
]
