"""What stands around every page: errors become pages, no answer is kept, and no camera opens."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.multipartparser import MultiPartParserError
from django.shortcuts import render

from config.errors import DATABASE_AWAY, api_problem, database_away, is_api, note, status_of, told

log = logging.getLogger("consentry.web")

# Django's own words for 404, 403 and 400, which it turns into pages itself: nothing unexpected.
ANSWERS = (Http404, PermissionDenied, BadRequest, SuspiciousOperation, MultiPartParserError)

NOTHING_OPENS = "camera=(), microphone=(), geolocation=(), display-capture=()"
"""The browser's own lock; one page opens the camera (``emotion.camera_views``)."""


class PlainErrors:
    """Turn a known error into a page with its status, and an unknown one into a line without data.

    The line names the exception's class and place, never its text: a message could hold what is sealed.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass on; nothing but static files is cached anywhere."""
        response = self.get_response(request)
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers.setdefault("Permissions-Policy", NOTHING_OPENS)
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """The page of a known error; None lets Django answer 500."""
        if isinstance(error, ANSWERS):
            return None
        status = status_of(error)
        if status is None:
            frame = error.__traceback__
            while frame and frame.tb_next:
                frame = frame.tb_next
            place = f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame else "?"
            log.error("unexpected %s at %s", type(error).__name__, place)
            return None
        note(status, error)
        if isinstance(error, DATABASE_AWAY):
            return database_away(request, error)
        code, message = told(status, error)
        if is_api(request):
            return api_problem(status, code, message)
        context = {"status": status, "code": code, "message": message}
        return render(request, "error.html", context, status=status)


class PlainRefusals:
    """Give an address that was only opened, and wants a button pressed, a page with ways on.

    Django's own answer is empty, and browsers show an error of theirs in its place. The innermost of
    all, so that the page gets what the others add to every answer.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass on; only an empty 405 is filled, and keeps its header."""
        response = self.get_response(request)
        if not isinstance(response, HttpResponseNotAllowed) or is_api(request):
            return response
        page = render(request, "405.html", status=405)
        page["Allow"] = response["Allow"]
        return page
