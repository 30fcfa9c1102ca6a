"""``consentry receipt`` and ``verify-receipt``; the latter by the file that data subjects get."""

from __future__ import annotations

import argparse
import json

from consentry_client import verify_access_log
from consentry_client.command_line.credentials import open_client
from consentry_client.command_line.outcomes import OK, Stop
from consentry_client.whole_files import replacing


def fetch_receipt(given: argparse.Namespace) -> int:
    """Fetch the receipt of an entry in which this key acted."""
    with open_client(given.purpose) as (client, _purpose):
        try:
            entry = client.log_entry(given.entry)
        except ValueError:
            raise Stop("The id of an entry is a UUID.") from None
    with replacing(given.file) as file:
        file.write(json.dumps(entry.receipt, indent=1).encode() + b"\n")
    there = "its proof" if entry.integrated else "a promise; fetch it again later for the proof"
    print(f"{given.file}: {entry.action} at {entry.time:%Y-%m-%d %H:%M:%S} UTC, with {there}")
    return OK


def verify_receipt(given: argparse.Namespace) -> int:
    """Verify a receipt; the last line is the verdict."""
    if not given.file.is_file():
        raise Stop(f"{given.file} is not a file.")
    keys = [word for key in given.key for word in ("--key", key)]
    return verify_access_log.main(["receipt", str(given.file), *keys])
