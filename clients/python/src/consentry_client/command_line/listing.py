"""``consentry subjects``: the opaque ids of the people of a list, to join results with it."""

from __future__ import annotations

import argparse
import csv
import io
import sys
from pathlib import Path

from consentry_client.command_line.credentials import open_client
from consentry_client.command_line.csv_lists import LONGEST, read_rows
from consentry_client.command_line.lines import LACKS_SCOPE, plain, why
from consentry_client.command_line.outcomes import OK, SOME_FAILED, Stop
from consentry_client.errors import Invalid, NotFound, Refused

COLUMNS = ("reference", "subject", "status")
"""``subject`` is the opaque id, as tables of results have it."""


def subjects(given: argparse.Namespace) -> int:
    """Write a CSV row for each person of the list; who was never asked is named on standard error."""
    references = read_references(given.list)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Into a file as it is, whatever letters this machine's terminal knows.
        sys.stdout.reconfigure(encoding="utf-8", errors="strict")
    status, table = OK, csv.writer(sys.stdout, lineterminator="\n")
    with open_client(given.purpose) as (client, _purpose):
        table.writerow(COLUMNS)
        for reference in references:
            try:
                found = client.find_subject(reference)
            except (NotFound, Invalid) as error:
                status = SOME_FAILED
                never = isinstance(error, NotFound)
                print(
                    plain(f"{reference}: {'never asked' if never else why(error)}"), file=sys.stderr
                )
                continue
            except Refused as error:
                if error.code == LACKS_SCOPE:
                    raise Stop(
                        "This key may not look people up: it lacks subjects:read.", SOME_FAILED
                    ) from None
                raise
            table.writerow((reference, found.id, found.status))
            sys.stdout.flush()
    return status


def read_references(path: Path) -> list[str]:
    """Each reference of a CSV list once; raises Stop for a wrong line, before anybody is looked up."""
    found: dict[str, None] = {}
    for place, (reference,) in read_rows(path, "subject"):
        if not 1 <= len(reference) <= LONGEST:
            raise Stop(f"{place}: needs a subject of 1 to {LONGEST} characters.")
        found[reference] = None
    if not found:
        raise Stop(f"{path} names nobody. Its first line must have a column: subject")
    return list(found)
