"""The stretches of a film's series as Apache Parquet, and what a new attempt takes up of an older one.

Each data category is a file of its own, because each is sealed and erased alone. The file of "summary"
also carries the state from which the next stretch goes on (who is followed, and where in the picture).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from emotion.inference.film_reading import Stretch
from emotion.inference.series import SUMMARY, TYPES, Table, plain

if TYPE_CHECKING:
    import pyarrow

STATE = b"consentry.state"


def to_parquet(stretch: Stretch) -> dict[str, bytes]:
    """A stretch's tables as files, by data category; the same stretch gives the same bytes."""
    return {
        category: written(table, {STATE: as_bytes(stretch.state)} if category == SUMMARY else {})
        for category, table in stretch.series.items()
    }


def as_bytes(state: dict[str, Any]) -> bytes:
    """A state as JSON; its numbers come back as they were."""
    return json.dumps(state, separators=(",", ":"), sort_keys=True).encode()


def written(
    table: Table, metadata: dict[bytes, bytes], about: Mapping[str, str] = MappingProxyType({})
) -> bytes:
    """One table as a Parquet file; ``about`` begins each row."""
    # Loaded by those who write or read films only: it takes longer than all the rest of the worker.
    import pyarrow
    from pyarrow import parquet

    measured = {name: pyarrow.array(values) for name, values in table.items()}
    moments = len(next(iter(measured.values())))
    columns = {name: pyarrow.array([value] * moments) for name, value in about.items()} | measured
    body = io.BytesIO()
    parquet.write_table(
        pyarrow.table(columns).replace_schema_metadata(metadata),
        body,
        compression="zstd",
        use_dictionary=False,
        write_statistics=False,
    )
    return body.getvalue()


def opened(body: bytes) -> pyarrow.Table:
    """A Parquet file of ours as an Arrow table."""
    import pyarrow
    from pyarrow import parquet

    return parquet.read_table(pyarrow.BufferReader(body))


def from_parquet(body: bytes) -> tuple[Table, dict[str, Any] | None]:
    """The table of a file, and the state in it, if there is one."""
    found = opened(body)
    table = {
        name: found.column(name).to_numpy().astype(TYPES.get(name, "float32"))
        for name in found.column_names
    }
    state = (found.schema.metadata or {}).get(STATE)
    return table, json.loads(state) if state else None


def as_csv(table: Table, about: Mapping[str, str] = MappingProxyType({})) -> bytes:
    """A table as CSV after RFC 4180, what was not measured as an empty field; ``about`` begins each row."""
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow((*about, *table))
    columns: list[list[Any]] = [plain(values) for values in table.values()]
    rows.writerows((*about.values(), *row) for row in zip(*columns, strict=True))
    return text.getvalue().encode()
