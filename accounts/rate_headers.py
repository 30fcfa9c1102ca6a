"""How often one API client may ask, told by every answer: the RateLimit headers of the IETF's draft.

``RateLimit-Policy`` and ``RateLimit`` (draft-ietf-httpapi-ratelimit-headers) instead of the older
``RateLimit-Limit``, ``-Remaining`` and ``-Reset``: one answer can name several limits with them, and
here one upload counts under two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from django.http import HttpRequest, HttpResponse

from accounts.counting import Counted, noting


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
