"""Lists that come as CSV, with the names of their columns in the first line."""

from __future__ import annotations

import csv
from pathlib import Path

from consentry_client.command_line.outcomes import Stop

LONGEST = 120
"""Characters of a reference, as the server takes it."""


def read_rows(path: Path, *columns: str) -> list[tuple[str, list[str]]]:
    """Where each row stands, and its texts in these columns, empty where there are none.

    Between cells there may be commas, semicolons (as Excel writes where a comma is the decimal sign) or
    tabs. Raises Stop for what is no CSV.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            file.seek(0)
            delimiter = max(",;\t", key=first.count)
            rows = list(csv.DictReader(file, strict=True, delimiter=delimiter))
    except OSError as error:
        raise Stop(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise Stop(f"{path} cannot be read as CSV: it is no text in UTF-8.") from None
    except csv.Error as error:
        raise Stop(f"{path} cannot be read as CSV: {error}.") from None
    return [
        (f"{path}, line {number}", [(row.get(name) or "").strip() for name in columns])
        for number, row in enumerate(rows, 2)
    ]
