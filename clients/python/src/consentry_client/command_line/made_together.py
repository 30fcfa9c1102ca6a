"""Takes out of the copies of other categories what was made of an erased one too, such as looking away.

Of a film's figures and events the JSON says what they were made of (``made_of``, ``categories``): they may
be kept with a consent to all of it only. A table has no room to say so: its figures are known by name.
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from consentry_client.command_line.copies_here import erase, files_under, where
from consentry_client.models import Erasure
from consentry_client.whole_files import replacing

LOOKING = frozenset({"gaze", "head-pose"})
LOOKING_AWAY = frozenset({"look_aways", "looked_away"})
"""The figures that are made of both; they stand with one of them."""
MOMENTS = "series"
"""The folder of an export in which each file holds the moments of one category and nothing else."""


def take_out(folder: Path, erasure: Erasure) -> int:
    """Rewrite the copies that hold such things; in how many files there were any. Raises OSError."""
    if erasure.subject is None or erasure.category is None:
        return 0
    return sum(rewritten(path, erasure.category) for path in beside(folder, erasure))


def beside(folder: Path, erasure: Erasure) -> list[Path]:
    """The files of the same recordings under other categories."""
    return sorted(
        path
        for path in files_under(where(folder, erasure))
        if path.name.partition(".")[0] != erasure.category and path.parent.name != MOMENTS
    )


def rewritten(path: Path, category: str) -> bool:
    """Whether there was something in a file; it is no more. What is no copy of ours is left alone."""
    is_looking = category in LOOKING and path.name.partition(".")[0] in LOOKING
    try:
        if path.suffix == ".json":
            body = json_without(path.read_bytes(), category)
        elif path.suffix == ".csv" and is_looking:
            body = csv_without_looking_away(path.read_bytes())
        elif path.suffix == ".parquet" and is_looking:
            body = parquet_without_looking_away(path.read_bytes())
        else:
            return False
    except (ValueError, RecursionError, csv.Error):
        return False
    except ImportError:  # nobody here can look into it
        erase(path)
        return True
    if body is not None:
        with replacing(path) as file:
            file.write(body)
    return body is not None


def json_without(body: bytes, category: str) -> bytes | None:
    """The same without what names the category; None where nothing does."""
    told = json.loads(body)
    left = without(told, category)
    return None if left == told else json.dumps(left, indent=1).encode() + b"\n"


def without(value: Any, category: str) -> Any:
    """Figures that are made of the category, and events that are, taken out at any depth."""
    if isinstance(value, dict):
        return {
            name: without(each, category)
            for name, each in value.items()
            if not names(each, "made_of", category)
        }
    if isinstance(value, list):
        return [
            without(each, category) for each in value if not names(each, "categories", category)
        ]
    return value


def names(value: Any, field: str, category: str) -> bool:
    """Whether a field of an object has the category in its list."""
    told = value.get(field) if isinstance(value, dict) else None
    return isinstance(told, list) and category in told


def csv_without_looking_away(body: bytes) -> bytes | None:
    """The rows of other figures; None where there are no others, or no figures."""
    rows = list(csv.reader(io.StringIO(body.decode(), newline=""), strict=True))
    if not rows or "name" not in rows[0]:
        return None
    at = rows[0].index("name")
    left = [row for row in rows if not LOOKING_AWAY & set(row[at : at + 1])]
    text = io.StringIO()
    csv.writer(text).writerows(left)
    return None if left == rows else text.getvalue().encode()


def parquet_without_looking_away(body: bytes) -> bytes | None:
    """The same of Apache Parquet. Raises ImportError without pyarrow."""
    from pyarrow import BufferOutputStream, BufferReader, parquet

    table = parquet.read_table(BufferReader(body))
    if "name" not in table.column_names:
        return None
    keep = [name not in LOOKING_AWAY for name in table["name"].to_pylist()]
    out = BufferOutputStream()
    parquet.write_table(table.filter(keep), out)
    return None if all(keep) else bytes(out.getvalue())
