"""States that were fetched before are answered in one line: ``ETag`` and ``If-None-Match``.

For states only. The tag is made of the whole answer, so a result must never have one: it would tell whoever
sees headers that two results are alike. What it is made with is keyed for the same reason, and holds the
address: of two people about whom there is nothing yet the tags differ.
"""

from __future__ import annotations

from typing import Any

from django.utils.crypto import salted_hmac
from django.utils.http import parse_etags
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


class StateView(APIView):
    """A view whose ``GET`` shows states: the answer has a tag, and is empty (304) for who knows it."""

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        """Give the answer its tag, and leave out what the client has already."""
        found = super().finalize_response(request, response, *args, **kwargs)
        if request.method not in {"GET", "HEAD"} or found.status_code != 200:
            return found
        found.render()
        whole = request.get_full_path().encode() + b"\n" + found.content
        tag = f'"{salted_hmac("accounts.etags", whole).hexdigest()}"'
        found.headers["ETag"] = tag
        found.headers["Cache-Control"] = "private, no-cache"
        known = parse_etags(request.headers.get("If-None-Match", ""))
        if "*" in known or tag in {each.removeprefix("W/") for each in known}:
            found.status_code, found.content = 304, b""
            del found.headers["Content-Type"]
        return found
