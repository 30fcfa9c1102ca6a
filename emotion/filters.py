"""What lists of recordings and analyses can be filtered by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import F, Q, QuerySet
from rest_framework import serializers
from rest_framework.request import Request

from accounts.lists import Moment, OneOf, OpaqueId, asked_for
from emotion.models import Analysis, AnalysisState, MediaState, Recording


class RecordingFilters(serializers.Serializer[Any]):
    """Which recordings to list."""

    subject = OpaqueId(required=False, help_text="The opaque id of a person.")
    media_state = OneOf(MediaState.values, required=False)
    created_after = Moment(required=False, help_text="Not this moment itself.")
    created_before = Moment(required=False)


class AnalysisFilters(serializers.Serializer[Any]):
    """Which analyses to list."""

    state = OneOf(AnalysisState.values, required=False)
    recording = OpaqueId(required=False)
    subject = OpaqueId(required=False, help_text="The opaque id of a person.")
    queued_after = Moment(required=False, help_text="Not this moment itself.")
    queued_before = Moment(required=False)
    finished_after = Moment(required=False, help_text="Not this moment itself.")
    finished_before = Moment(required=False)


Fits = Callable[[Any], Q]
"""Which rows fit the value of a filter."""


def has(column: str) -> Fits:
    """Rows whose column is, or compares to, the value."""
    return lambda value: Q(**{column: value})


def is_of(recording: str) -> Fits:
    """Rows of the person with this opaque id, which holds for the recording's own purpose alone."""
    reference = f"{recording}subject__references"
    return lambda value: Q(**{reference: value, f"{reference}__purpose": F(f"{recording}purpose")})


RECORDINGS = {
    "subject": is_of(""),
    "media_state": has("media_state"),
    "created_after": has("created_at__gt"),
    "created_before": has("created_at__lt"),
}
ANALYSES = {
    "state": has("state"),
    "recording": has("recording"),
    "subject": is_of("recording__"),
    "queued_after": has("queued_at__gt"),
    "queued_before": has("queued_at__lt"),
    "finished_after": has("finished_at__gt"),
    "finished_before": has("finished_at__lt"),
}


def recordings_asked_for(request: Request, rows: QuerySet[Recording]) -> QuerySet[Recording]:
    """The recordings that fit every filter of the request; raises like ``asked_for``."""
    given = asked_for(request, RecordingFilters)
    return rows.filter(*(RECORDINGS[name](value) for name, value in given.items()))


def analyses_asked_for(request: Request, rows: QuerySet[Analysis]) -> QuerySet[Analysis]:
    """The analyses that fit every filter of the request; raises like ``asked_for``."""
    given = asked_for(request, AnalysisFilters)
    return rows.filter(*(ANALYSES[name](value) for name, value in given.items()))
