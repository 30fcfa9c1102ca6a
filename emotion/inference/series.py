"""A film's moments as tables of numbers, one for each data category, so that each is sealed on its own.

Every table has ``time`` and the columns of ``columns.COLUMNS``, all of one length; what was not measured at
a moment is NaN. A category is measured at its own times: its table has only the moments at which it was
due, and those that were abstained on, as NaN.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import astuple, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotion.inference.columns import COLUMNS, SERIES_SCHEMA, TIME
from emotion.inference.gaze import Gaze
from emotion.inference.indices import activation_index, valence_index
from emotion.inference.labels import LABELS
from emotion.inference.moments import Moment
from emotion.inference.pose import Pose
from emotion.inference.smile_signs import SmileSigns

Values = NDArray[Any]
Table = dict[str, Values]
"""Columns by name, (n,) each: float32, ``time`` float64, ``faces`` int32, ``status`` text of 16 letters."""
Series = dict[str, Table]
"""Tables by data category, "summary" among them."""

SUMMARY = "summary"
"""The table, and the part of a result, that says what could be read and nothing of what it showed."""
MEASURED_IN = {
    "expression": "expression",
    "blendshapes": "blendshapes",
    "head-pose": "pose",
    "gaze": "gaze",
    "smile-marker": "smile",
    "body-motion": "body",
}
"""The field of a moment that each data category fills."""
SHAPES: dict[str, Any] = {"head-pose": Pose, "gaze": Gaze, "smile-marker": SmileSigns}
"""What the rows of the categories with several quantities are made of."""
TYPES: dict[str, Any] = {"time": np.float64, "faces": np.int32, "status": np.dtype("<U16")}


def to_series(moments: Sequence[Moment], categories: Collection[str]) -> Series:
    """The tables of moments in the order of time, for "summary" and the asked data categories."""
    found = {"summary": summary_table(moments)}
    for category in MEASURED_IN:
        if category in categories:
            found[category] = category_table(moments, category)
    return found


def summary_table(moments: Sequence[Moment]) -> Table:
    """Time, status, number of faces and quality of every moment."""
    names = [column.name for column in COLUMNS["summary"]][2:]
    rows = [[moment.quality.get(name, np.nan) for name in names] for moment in moments]
    figures = np.array(rows, np.float32).reshape(len(moments), len(names))
    return {
        "time": np.array([moment.time for moment in moments], TYPES["time"]),
        "status": np.array([moment.status for moment in moments], TYPES["status"]),
        "faces": np.array([moment.faces for moment in moments], TYPES["faces"]),
        **{name: figures[:, at] for at, name in enumerate(names)},
    }


def category_table(moments: Sequence[Moment], category: str) -> Table:
    """One category's table: where it was measured, and where the face was abstained on."""
    field = MEASURED_IN[category]
    due = [
        moment
        for moment in moments
        if getattr(moment, field) is not None
        or (moment.status != "read" and category != "body-motion")
    ]
    names = [column.name for column in COLUMNS[category]]
    rows = np.full((len(due), len(names)), np.nan, np.float32)
    for at, moment in enumerate(due):
        values = getattr(moment, field)
        if values is not None:
            rows[at] = row_of(category, values)
    times = np.array([moment.time for moment in due], TYPES["time"])
    return {"time": times, **{name: rows[:, at] for at, name in enumerate(names)}}


def row_of(category: str, values: Any) -> Values:
    """A measurement as one row of its table."""
    if category in SHAPES:
        return np.array(astuple(values), np.float32)
    flat: Values = np.asarray(values, np.float32).reshape(-1)
    if category == "expression":
        return np.concatenate([flat, [valence_index(flat), activation_index(flat)]])
    return flat


def to_moments(series: Series) -> list[Moment]:
    """The moments that tables were made of, as far as they say: the inverse of ``to_series``.

    Numbers are rounded to float32; a category that was not due at a moment is None there.
    """
    summary, figures = series["summary"], [column.name for column in COLUMNS["summary"]][2:]
    found = [
        Moment(
            time=float(summary["time"][at]),
            status=str(summary["status"][at]),
            faces=int(summary["faces"][at]),
            quality={
                name: float(summary[name][at]) for name in figures if np.isfinite(summary[name][at])
            },
        )
        for at in range(len(summary["time"]))
    ]
    index = {moment.time: at for at, moment in enumerate(found)}
    for category, field in MEASURED_IN.items():
        if category not in series:
            continue
        table = series[category]
        values = rows(table, [column.name for column in COLUMNS[category]]).astype(np.float32)
        for time, row in zip(table["time"], values, strict=True):
            if np.isfinite(row).all():
                at = index[float(time)]
                found[at] = replace(found[at], **{field: measurement_of(category, row)})
    return found


def measurement_of(category: str, row: Values) -> Any:
    """A row of a table as the measurement that it was made of."""
    if category in SHAPES:
        return SHAPES[category](*map(float, row))
    if category == "expression":
        return row[: len(LABELS)]
    return row.reshape(-1, 3) if category == "body-motion" else row


def joined(parts: Sequence[Series]) -> Series:
    """Series of one film that follow one another, as one. All have the same categories."""
    if not parts:
        return {}
    return {
        category: {name: np.concatenate([part[category][name] for part in parts]) for name in table}
        for category, table in parts[0].items()
    }


def rows(table: Table, names: Sequence[str]) -> NDArray[np.float64]:
    """Some columns of a table side by side, (n, number of names)."""
    return np.stack([table[name] for name in names], axis=1).astype(np.float64)


def document(series: Series, category: str) -> dict[str, Any]:
    """One table as JSON says it (``schemas/series.schema.json``): columns described, NaN as null."""
    table = series[category]
    described = (TIME, *COLUMNS[category])
    status, count = np.unique(series["summary"]["status"], return_counts=True)
    return {
        "schema": SERIES_SCHEMA,
        "category": category,
        "moments": len(table["time"]),
        "abstained": {
            str(name): int(number)
            for name, number in zip(status, count, strict=True)
            if name != "read"
        },
        "columns": [
            {
                "name": column.name,
                "unit": column.unit,
                "range": list(column.range),
                "model": column.model,
                "note": column.note,
                "values": plain(table[column.name]),
            }
            for column in described
        ],
    }


def plain(values: Values) -> list[Any]:
    """Values as JSON has them; what is no number is None."""
    if values.dtype.kind != "f":
        return list(values.tolist())
    return [None if value != value else value for value in values.tolist()]
