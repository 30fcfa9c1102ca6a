"""How often one API client may ask: a rate per client, told by 429 with ``Retry-After``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from accounts.actors import actor_of

if TYPE_CHECKING:
    from rest_framework.views import APIView  # it loads this module itself


class ClientThrottle(SimpleRateThrottle):
    """The rate of ``settings.API_RATE`` ("3000/min") for each client, whatever it asks for."""

    scope = "client"

    def get_rate(self) -> str:
        """Read when a request comes, so that the setting alone decides."""
        return settings.API_RATE

    def get_cache_key(self, request: Request, view: APIView) -> str | None:
        """The client's id; requests without a live key never come this far."""
        actor = actor_of(request)
        return f"api-rate:{actor.id}" if actor.kind == "client" else None
