"""Lists that come as CSV, with the names of their columns in the first line."""

from __future__ import annotations

import csv
from pathlib import Path

from consentry_client.command_line.outcomes import Stop

LONGEST = 120
"""Characters of a reference, as the server takes it."""


def read_rows(path: Path, *columns: str, first_alone: bool = False) -> list[tuple[str, list[str]]]:
    """Where each row stands, and its texts in these columns, empty where a row has none.

    Between cells there may be commas, semicolons (as Excel writes where a comma is the decimal sign) or
    tabs; capitals in the names of columns do not matter. With ``first_alone`` a list may have the first
    column and no other. Raises Stop for what is no CSV, and where a column is missing or stands twice.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            file.seek(0)
            delimiter = max(",;\t", key=first.count)
            reader = csv.DictReader(file, strict=True, delimiter=delimiter)
            names = [name.strip().casefold() for name in reader.fieldnames or ()]
            reader.fieldnames = names
            rows = list(reader)
    except OSError as error:
        raise Stop(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise Stop(f"{path} cannot be read as CSV: it is no text in UTF-8.") from None
    except csv.Error as error:
        raise Stop(f"{path} cannot be read as CSV: {error}.") from None
    if names and not (first_alone and names == [*columns[:1]]):
        for name in columns:
            if names.count(name) != 1:
                raise Stop(f"{path}: its first line must have the column {name}, once.")
    return [
        (f"{path}, line {number}", [(row.get(name) or "").strip() for name in columns])
        for number, row in enumerate(rows, 2)
    ]
