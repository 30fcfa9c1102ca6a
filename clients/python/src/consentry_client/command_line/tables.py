"""A part of a result as a table, row for row as the server writes it in exports, the ids first.

It is made here from the JSON, which says more (ranges, models, caveats) and is kept beside it: fetching
both would be two readings in the access log.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any, NamedTuple

from consentry_client.command_line.outcomes import Stop

PLAIN = ("status", "abstained", "faces", "top", "verdict", "reason", "coverage")
"""What stands in a part by itself and has a row."""


class Row(NamedTuple):
    """One figure: a number (yes and no are 1 and 0) or a word."""

    category: str
    name: str
    value: float | int | str | None
    unit: str


def rows_of(category: str, part: Mapping[str, Any]) -> Iterator[Row]:
    """The figures of one part."""
    for name in PLAIN:
        if name in part:
            yield row(category, name, part[name], "")
    units = part.get("quality_units") or {}
    for name, value in (part.get("quality") or {}).items():
        yield row(category, f"quality.{name}", value, str(units.get(name, "")))
    for group in ("probabilities", "values", "figures"):
        for name, value in (part.get(group) or {}).items():
            yield row(category, name, value, str(part.get("unit", "")))
    for name, value in (part.get("indices") or {}).items():
        yield row(category, name, value, "index")
    for name, value in ((part.get("asymmetry") or {}).get("values") or {}).items():
        yield row(category, f"asymmetry.{name}", value, "")


def row(category: str, name: str, value: Any, unit: str) -> Row:
    """A value alone, or one that comes with its own unit."""
    if isinstance(value, dict):
        value, unit = value.get("value"), str(value.get("unit", unit))
    if isinstance(value, bool):
        value = int(value)
    return Row(category, name, value if isinstance(value, int | float | str) else None, unit)


def as_csv(rows: list[Row], about: Mapping[str, str]) -> bytes:
    """The rows after RFC 4180; ``about`` begins each row, so that tables can be put together."""
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow((*about, *Row._fields))
    table.writerows((*about.values(), *row) for row in rows)
    return text.getvalue().encode()


def as_parquet(rows: list[Row], about: Mapping[str, str]) -> bytes:
    """The rows as Apache Parquet, words in a column of their own; raises Stop without pyarrow."""
    require_parquet()
    import pyarrow

    numbers = [None if isinstance(each.value, str) else each.value for each in rows]
    words = [each.value if isinstance(each.value, str) else None for each in rows]
    text = pyarrow.string()
    columns = {
        "category": pyarrow.array([each.category for each in rows], text),
        "name": pyarrow.array([each.name for each in rows], text),
        "value": pyarrow.array(numbers, pyarrow.float64()),
        "word": pyarrow.array(words, text),
        "unit": pyarrow.array([each.unit for each in rows], text),
    }
    return parquet_of(pyarrow.table(columns), about)


def series_as_csv(series: bytes, about: Mapping[str, str]) -> bytes:
    """A film's series as the server wrote it, with ``about`` at the beginning of each row."""
    names, *moments = csv.reader(io.StringIO(series.decode(), newline=""))
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow((*about, *names))
    table.writerows((*about.values(), *row) for row in moments)
    return text.getvalue().encode()


def series_as_parquet(series: bytes, about: Mapping[str, str]) -> bytes:
    """The same of a series that came as Apache Parquet."""
    require_parquet()
    from pyarrow import BufferReader, parquet

    return parquet_of(parquet.read_table(BufferReader(series)), about)


def parquet_of(table: Any, about: Mapping[str, str]) -> bytes:
    """A table of pyarrow as a file, ``about`` in its first columns."""
    import pyarrow
    from pyarrow import parquet

    for number, (name, value) in enumerate(about.items()):
        column = pyarrow.array([value] * table.num_rows, pyarrow.string())
        table = table.add_column(number, name, column)
    body = io.BytesIO()
    parquet.write_table(table, body)
    return body.getvalue()


def require_parquet() -> None:
    """Raise Stop without pyarrow, which is large and therefore no dependency."""
    if find_spec("pyarrow") is None:
        raise Stop(f"Parquet needs one more package: {sys.executable} -m pip install pyarrow")


WRITERS = {"csv": as_csv, "parquet": as_parquet}
SERIES_WRITERS = {"csv": series_as_csv, "parquet": series_as_parquet}
