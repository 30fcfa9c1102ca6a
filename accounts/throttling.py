"""How often one API client may ask, told by every answer: the RateLimit headers of the IETF's draft.

``RateLimit-Policy`` and ``RateLimit`` (draft-ietf-httpapi-ratelimit-headers) instead of the older
``RateLimit-Limit``, ``-Remaining`` and ``-Reset``: one answer can name several limits with them, and
here one upload counts under two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from django.http import HttpRequest, HttpResponse
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts.actors import actor_of
from accounts.counting import Counted, count, noting
from accounts.limits import requests_limit

if TYPE_CHECKING:
    from rest_framework.views import APIView  # it loads this module itself


class ClientThrottle(BaseThrottle):
    """One rate for each client, whatever it asks for and with whichever of its keys."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        """Count the request; those without a live key never come this far."""
        actor = actor_of(request)
        if actor.kind != "client":
            return True
        self.counted = count(requests_limit(), str(actor.id))
        return self.counted.within

    def wait(self) -> float:
        """Seconds until the next stretch, for ``Retry-After``."""
        return self.counted.reset


class RateHeaders:
    """Put how the limits stand into the headers of every answer for which something was counted."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass on."""
        with noting() as seen:
            response = self.get_response(request)
        if seen:
            newest = {each.limit.name: each for each in seen}.values()
            response.headers["RateLimit-Policy"] = policies(newest)
            response.headers["RateLimit"] = standings(newest)
        return response


def policies(counted: Iterable[Counted]) -> str:
    """``"requests";q=3000;w=60``: quota and window in seconds of each limit, by name."""
    return ", ".join(
        f'"{each.limit.name}";q={each.limit.quota};w={each.limit.window}' for each in counted
    )


def standings(counted: Iterable[Counted]) -> str:
    """``"requests";r=2999;t=42``: what is left of each limit, and in how many seconds it begins anew."""
    return ", ".join(f'"{each.limit.name}";r={each.left};t={each.reset}' for each in counted)
