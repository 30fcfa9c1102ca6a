"""How a list of the API is given: pages by cursor, because rows arrive while somebody turns pages.

A list answers ``page(request, rows, shown)``, or ``page_at_once`` where rows need something looked up.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import QuerySet
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response

Found = TypeVar("Found")

ORDERS = {"newest": "-", "oldest": ""}


class ByTime(CursorPagination):
    """Newest first, or with ``order=oldest`` the other way round: ids are UUIDv7, so they follow time.

    ``limit`` is 1 to 200, 50 if nothing is said. A cursor is opaque and belongs to its order and filters.
    """

    page_size = 50
    max_page_size = 200
    page_size_query_param = "limit"
    columns: tuple[str, ...] = ("id",)
    default_order = "newest"

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: Any) -> tuple[str, ...]:
        """The order that was asked for; raises ValidationError (422) for one that does not exist."""
        wanted = request.query_params.get("order", self.default_order)
        if wanted not in ORDERS:
            raise ValidationError(
                {"order": [_("Expected one of %s; something else came.") % ", ".join(ORDERS)]}
            )
        return tuple(ORDERS[wanted] + column for column in self.columns)

    def decode_cursor(self, request: Request) -> Cursor | None:
        """The cursor; raises ValidationError (422) for one that no page of ours gave."""
        try:
            cursor = super().decode_cursor(request)
            if cursor is not None:
                given = None if cursor.position is None else str(cursor.position)
                cursor = cursor._replace(position=self.position(given))
        except (NotFound, ValueError, OverflowError):
            raise ValidationError(
                {"cursor": [_("Expected a cursor that a page gave; something else came.")]}
            ) from None
        return cursor

    def position(self, given: str | None) -> Any:
        """Where a page begins; raises ValueError for what no page of this order gave."""
        return str(UUID(given or ""))

    def get_page_size(self, request: Request) -> int:
        """The number of rows to a page; raises ValidationError (422) outside 1 to 200."""
        wanted = request.query_params.get("limit", str(self.page_size))
        digits = len(wanted) <= 3 and wanted.isascii() and wanted.isdigit()
        if not digits or not 1 <= int(wanted) <= self.max_page_size:
            raise ValidationError(
                {
                    "limit": [
                        _("Expected a number from 1 to %d; something else came.")
                        % self.max_page_size
                    ]
                }
            )
        return int(wanted)


class ByChange(ByTime):
    """By ``changed_at``, the oldest change first, for whoever follows changes.

    What changes while pages are turned moves towards the newest end. So either it is still to come, or it
    changed later than anything that was shown, and the next question finds it. By id it would do neither.
    """

    columns = ("changed_at", "id")
    default_order = "oldest"

    def position(self, given: str | None) -> Any:
        """The moment of a change; none where all rows of the pages before have the same one."""
        if given is None:
            return None
        found = parse_datetime(given)
        if found is None or found.tzinfo is None:
            raise ValueError
        return str(found.astimezone(UTC))


def page(
    request: Request,
    rows: QuerySet[Any, Found],
    shown: Callable[[Request, Found], dict[str, Any]],
    pages: type[ByTime] = ByTime,
) -> Response:
    """One page of ``rows`` as ``{"next", "previous", "results"}``, each row as ``shown`` shows it."""
    return page_at_once(
        request, rows, lambda request, found: [shown(request, row) for row in found], pages
    )


def page_at_once(
    request: Request,
    rows: QuerySet[Any, Found],
    shown: Callable[[Request, list[Found]], list[dict[str, Any]]],
    pages: type[ByTime] = ByTime,
) -> Response:
    """The same, where ``shown`` looks something up for all rows of the page together."""
    turning = pages()
    found = turning.paginate_queryset(rows, request) or []
    return turning.get_paginated_response(shown(request, found))
