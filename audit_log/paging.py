"""Pages of a list that grows at its newest end.

Each page begins before a given row, so nothing moves while somebody reads and no page gets slower the
further back it lies (a page number counts every row before it). The row is named by a unique column
that grows with time: an index of the log, or a UUIDv7. A list may be in the order of another column first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404

PAGE_SIZE = 50
BEFORE = "before"

Item = TypeVar("Item", bound=Model)


@dataclass(frozen=True)
class CursorPage(Generic[Item]):
    """One page of rows, newest first.

    Fields:
        older, newest: the query strings ("?...") of the next page and of the first one, with the
            filters of this one; empty where there is no such page to go to.
    """

    rows: list[Item]
    older: str
    newest: str


def page_of(
    request: HttpRequest,
    rows: QuerySet[Item],
    *,
    by: str = "pk",
    after: str = "",
    size: int = PAGE_SIZE,
) -> CursorPage[Item]:
    """The page of ``rows`` that the request asks for by ``?before=``.

    ``by`` is unique; ``after`` is a column that comes before it in the order. Raises Http404 for a value
    that can name no row, and with ``after`` for one that names none.
    """
    before = request.GET.get(BEFORE, "")
    found = rows.order_by(*[f"-{column}" for column in (after, by) if column])
    if before:
        # A malformed number or UUID is a ValidationError (or ValueError) of the column.
        try:
            if after:
                row = get_object_or_404(rows.model, **{by: before})
                found = found.filter(behind(row, by, after))
            else:
                found = found.filter(**{f"{by}__lt": before})
        except (ValidationError, ValueError) as error:
            raise Http404 from error
    taken: list[Item] = first_rows(found, size + 1) if after else list(found[: size + 1])
    shown = taken[:size]
    older = query(request, getattr(shown[-1], by)) if len(taken) > size else ""
    return CursorPage(shown, older, query(request, None) if before else "")


def first_rows(rows: QuerySet[Item], number: int) -> list[Item]:
    """The first so many rows, found by their keys.

    Where an index includes all that is asked about, it alone is read until there are enough.
    """
    keys = list(rows.values_list("pk", flat=True)[:number])
    return list(rows.filter(pk__in=keys))


def behind(row: Model, by: str, after: str = "") -> Q:
    """The condition for what comes after a row, newest first by ``after``, if given, and ``by``."""
    condition = Q(**{f"{by}__lt": getattr(row, by)})
    if after:
        value = getattr(row, after)
        # Written so that an index which ends with ``after`` is entered at the right place.
        condition = Q(**{f"{after}__lte": value}) & (Q(**{f"{after}__lt": value}) | condition)
    return condition


def query(request: HttpRequest, before: Any) -> str:
    """The query string of this page with another beginning."""
    values = request.GET.copy()
    values.pop(BEFORE, None)
    if before is not None:
        values[BEFORE] = str(before)
    return f"?{values.urlencode()}"
