"""What OPTIONS answers: which methods an address has, and which scope each of them needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework.metadata import BaseMetadata
from rest_framework.request import Request

if TYPE_CHECKING:
    from rest_framework.views import APIView  # it loads this module itself


class MethodsAndScopes(BaseMetadata):
    """For any live key. Nothing is told of what lies behind an address."""

    def determine_metadata(self, request: Request, view: APIView) -> dict[str, Any]:
        """``{"methods": ["GET", …], "scopes": {"GET": "recordings:read"}}``."""
        scopes: dict[str, str] = getattr(view, "scopes", {})
        return {"methods": view.allowed_methods, "scopes": {k: str(v) for k, v in scopes.items()}}
