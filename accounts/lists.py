"""How lists of the API are asked for: their filters, and how a page looks in the document.

What is misspelt is refused, because without it a list would show everything.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from accounts.pages import ORDERS, ByTime
from accounts.problems import PROBLEMS, Problem

PAGING = [
    OpenApiParameter("order", str, enum=list(ORDERS), description="Newest first if left out."),
    OpenApiParameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": ByTime.max_page_size},
        description=f"Rows to a page; {ByTime.page_size} if left out.",
    ),
    OpenApiParameter("cursor", str, description="From `next` or `previous` of another page."),
]
LIST_PROBLEMS = {422: Problem, **PROBLEMS}
NAMES = frozenset(each.name for each in PAGING)


class Moment(serializers.DateTimeField):
    """A time after RFC 3339 with its offset: without one nobody knows which hour is meant."""

    default_error_messages = {
        "invalid": gettext_lazy(
            "Expected a time such as 2026-11-28T09:30:00Z (in an address + is %2B); something else came."
        )
    }

    def to_internal_value(self, value: Any) -> datetime:
        """The time in UTC."""
        try:
            found = parse_datetime(str(value))
            if found is None or found.tzinfo is None:
                self.fail("invalid")
            return found.astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail("invalid")


class OneOf(serializers.ChoiceField):
    """One of a few words; a refusal names them, and not what came."""

    def to_internal_value(self, data: Any) -> Any:
        """The word. Raises ValidationError."""
        if str(data) not in self.choices:
            raise ValidationError(
                _("Expected one of %s; something else came.") % ", ".join(self.choices)
            )
        return super().to_internal_value(data)


class OpaqueId(serializers.UUIDField):
    """An id as the API gives it."""

    default_error_messages = {"invalid": gettext_lazy("Expected a UUID; something else came.")}


class NoFilters(serializers.Serializer[Any]):
    """Nothing but pages."""


def asked_for(request: Request, filters: type[serializers.Serializer[Any]]) -> dict[str, Any]:
    """The filters of a request, none of which must be given.

    Raises ValidationError (422) for an unknown one or a wrong value.
    """
    if request.query_params.keys() <= NAMES:
        return {}  # as most lists are asked for; a serializer copies all its fields
    # A plain dict: of a form an empty field would count as left out, and show everything too.
    given = filters(data=request.query_params.dict())
    unknown = set(request.query_params) - set(given.fields) - NAMES
    if unknown:
        known = ", ".join(sorted({*given.fields, *NAMES}))
        # Its name is not repeated: it is what somebody typed.
        raise ValidationError({"": [_("The parameters here are %s; another one came.") % known]})
    given.is_valid(raise_exception=True)
    return dict(given.validated_data)


def page_of(shape: type[serializers.Serializer[Any]]) -> serializers.Serializer[Any]:
    """The shape of a page of such rows."""
    return inline_serializer(
        shape.__name__.removesuffix("Output") + "Page",
        {
            "next": serializers.URLField(allow_null=True),
            "previous": serializers.URLField(allow_null=True),
            "results": shape(many=True),
        },
    )
