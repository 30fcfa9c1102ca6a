"""The OpenAPI document as the API gives it."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from config.schema import document


class Schema(SpectacularAPIView):
    """JSON or YAML, by ``Accept`` or ``?format=``; always in English, as the file in ``docs/`` is."""

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: object, **kwargs: object) -> Response:
        """The document that this process has made once."""
        return Response(document(), headers={"Cache-Control": "no-cache"})
