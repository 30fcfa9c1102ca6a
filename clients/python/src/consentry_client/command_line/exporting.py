"""``consentry export``: the results of many people in one archive. Their people see each of them."""

from __future__ import annotations

import argparse
from pathlib import Path

from consentry_client.clients import Client
from consentry_client.command_line.credentials import open_client
from consentry_client.command_line.lines import LACKS_SCOPE
from consentry_client.command_line.outcomes import OK, SOME_FAILED, Stop
from consentry_client.command_line.progress import Bar
from consentry_client.errors import Refused
from consentry_client.models import Export

DUTY = """\
This archive is yours now: neither the log nor an erasure reaches into it. When somebody withdraws you must
erase theirs. Unpack it and delete it: what is unpacked "consentry erasures --delete-from FOLDER" erases."""


def export(given: argparse.Namespace) -> int:
    """Ask for an export and fetch it; exit status 1 when the gate kept something out of it."""
    if given.file.exists():
        raise Stop(f"{given.file} is there already.")  # each fetch is an entry for everybody in it
    with open_client(given.purpose) as (client, _purpose):
        try:
            made = client.request_export(
                reason=given.reason,
                format=given.to,
                categories=given.category,
                subjects=given.subject,
                created_after=given.created_after,
                created_before=given.created_before,
            )
        except Refused as error:
            if error.code != LACKS_SCOPE:
                raise
            raise Stop(
                "This key may not export: that takes results:export and results:read.", SOME_FAILED
            ) from None
        if made.analyses == 0:
            print("nothing to do")
            return OK
        fetched = fetch(client, made, given.file)
    left_out = sum(fetched.refused.values())
    why = ", ".join(f"{number} {code}" for code, number in fetched.refused.items())
    print(f"{given.file}: {fetched.included} fetched, {left_out} left out{why and f' ({why})'}")
    print(DUTY)
    return SOME_FAILED if left_out else OK


def fetch(client: Client, made: Export, target: Path) -> Export:
    """Fetch the archive: what is in it and what is not."""
    bar = Bar()
    try:
        client.fetch_export(made.id, target, progress=bar.received)
    finally:
        bar.clear()
    fetched = client.export(made.id)
    if fetched.sent_at is None:
        raise Stop(
            f"{target} is there, but the server has not noted its end: its index.csv says what is in it.",
            SOME_FAILED,
        )
    return fetched
