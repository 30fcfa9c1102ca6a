"""A result as rows: one for each figure, with its unit; what spreadsheets and statistics programs read.

JSON says more (ranges, models, formulas, events). A row is a number or a word; a list is left out.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any, NamedTuple

PLAIN = ("status", "abstained", "faces", "top", "verdict", "reason", "coverage")
"""What stands in a part by itself and is worth a row."""


class Figure(NamedTuple):
    """One row."""

    category: str
    name: str
    value: float | int | str | None
    unit: str


def rows_of(parts: dict[str, dict[str, Any]]) -> Iterator[Figure]:
    """The figures of every part, the summary first and the others by name."""
    for category in sorted(parts, key=lambda name: (name != "summary", name)):
        part = parts[category]
        for name in PLAIN:
            if name in part:
                yield Figure(category, name, plain(part[name]), "")
        units = part.get("quality_units", {})
        for name, value in (part.get("quality") or {}).items():
            yield Figure(category, f"quality.{name}", value, str(units.get(name, "")))
        yield from measured(category, part)


def measured(category: str, part: dict[str, Any]) -> Iterator[Figure]:
    """What was measured in one category: of a photograph values, of a film figures over its time."""
    unit = str(part.get("unit", ""))
    for group in ("probabilities", "values", "figures"):
        for name, value in (part.get(group) or {}).items():
            yield figure(category, name, value, unit)
    for name, value in (part.get("indices") or {}).items():
        yield figure(category, name, value, "index")
    for name, value in (part.get("asymmetry") or {}).get("values", {}).items():
        yield Figure(category, f"asymmetry.{name}", value, "")


def figure(category: str, name: str, value: Any, unit: str) -> Figure:
    """A value alone, or one that comes with its own unit."""
    if isinstance(value, dict):
        unit = str(value.get("unit", unit))
        value = value.get("value")
    return Figure(category, name, plain(value), unit)


def plain(value: Any) -> float | int | str | None:
    """A number or a word; yes and no as 1 and 0."""
    if isinstance(value, bool):
        return int(value)
    return value if isinstance(value, int | float | str) else None


def table_as_csv(rows: Iterator[Figure], about: dict[str, str]) -> bytes:
    """The rows as CSV after RFC 4180, what is not known as an empty field; ``about`` begins each row."""
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow((*about, *Figure._fields))
    table.writerows((*about.values(), *row) for row in rows)
    return text.getvalue().encode()


def table_as_parquet(rows: Iterator[Figure], about: dict[str, str]) -> bytes:
    """The rows as Apache Parquet: numbers in ``value``, words in ``word``; ``about`` begins each row."""
    import pyarrow  # loaded by those who need it only: it takes long
    from pyarrow import parquet

    found = list(rows)
    columns: dict[str, Any] = {name: [value] * len(found) for name, value in about.items()}
    columns["category"] = [row.category for row in found]
    columns["name"] = [row.name for row in found]
    numbers = [None if isinstance(row.value, str) else row.value for row in found]
    columns["value"] = pyarrow.array(numbers, pyarrow.float64())
    words = [row.value if isinstance(row.value, str) else None for row in found]
    columns["word"] = pyarrow.array(words, pyarrow.string())
    columns["unit"] = [row.unit for row in found]
    body = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), body, compression="zstd")
    return body.getvalue()
