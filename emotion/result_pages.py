"""An opened result as the context of its page: a photograph's, or a film's."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from emotion.film_charts import event_rows, mark_rows, strips, table_rows
from emotion.film_wording import film_sentences
from emotion.media_words import length_words
from emotion.results import OpenResult
from emotion.set_words import calibrated, caveat
from emotion.wording import in_words, measured_by

SHOWN_EVENTS = 60
"""Events listed on the page; the rest are in what can be downloaded."""


def film_in_words(opened: OpenResult) -> dict[str, Any]:
    """In words first, then as strips with a table beside them, with what was not read and why."""
    summary, series = opened.parts["summary"], opened.series
    times = series["summary"]["time"]
    seconds = float(times[-1]) if len(times) else 0.0
    events = event_rows(opened.parts)
    models = {
        name: value for part in opened.parts.values() for name, value in part["models"].items()
    }
    return {
        "headline": _("What the face showed in %(length)s") % {"length": length_words(seconds)},
        "findings": film_sentences({name: part["figures"] for name, part in opened.parts.items()}),
        "seconds": seconds,
        "marks": mark_rows(summary["marks"], seconds),
        "strips": strips(series, seconds),
        "rows": table_rows(series, seconds, opened.parts.get("expression")),
        "columns": list(series),
        "events": events[:SHOWN_EVENTS],
        "more_events": max(len(events) - SHOWN_EVENTS, 0),
        "caveat": caveat(opened.parts["expression"]) if "expression" in opened.parts else "",
        "exactly": [calibrated(opened.parts["expression"])] if "expression" in opened.parts else [],
        "models": measured_by({"models": models, "engine": summary.get("engine")}),
    }


def result_words(opened: OpenResult) -> dict[str, Any]:
    """The context of the page of this result."""
    return film_in_words(opened) if opened.analysis.recording.is_film else in_words(opened.parts)


def result_page(opened: OpenResult) -> str:
    """The template of the page of this result."""
    film = opened.analysis.recording.is_film
    return "emotion/film_result.html" if film else "emotion/result.html"
