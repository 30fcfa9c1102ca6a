"""``manage.py verify_log``: verify the whole access log, here, exported or at an address; one verdict."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audit_log.errors import AuditLogError, one_line
from audit_log.export import verify_export
from audit_log.remote import Remote, verify_remote
from audit_log.row_entries import RowsUnreadable, verify_rows
from audit_log.storage import storage_at
from audit_log.verdicts import remember
from audit_log.verification import verify_database

EVERY = 2.0  # seconds between two lines of progress


class Command(BaseCommand):
    """Verify the access log: entries, tree, checkpoints and signatures. Exit status 1 on a mismatch."""

    help = "Verify the access log in the database, or as it was exported or is published."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Of the database, unless an export or an address is named."""
        where = parser.add_mutually_exclusive_group()
        where.add_argument(
            "--export", metavar="WHERE", help="verify what export_log wrote to a folder or s3://…"
        )
        where.add_argument("--url", help="verify the log at https://HOST/log")
        parser.add_argument(
            "--token-file", type=Path, help="with --url: a file with an auditor's token"
        )
        parser.add_argument(
            "--key",
            action="append",
            default=[],
            help="with --url: the key of another installation's log; of several each as 'KEY from=N to=M'",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print progress on standard error, and the verdict. Raises CommandError on a mismatch."""
        if options["key"] and not options["url"]:
            raise CommandError(
                "--key: expected with --url only; here the log's own keys count. Another installation's "
                "export: python tools/verify_access_log.py export DIR --key KEY"
            )
        if options["token_file"] and not options["url"]:
            raise CommandError("--token-file: expected with --url only")
        try:
            if options["export"]:
                tree = verify_export(storage_at(options["export"]), self.progress())
                said = f"verified: {tree.size} entries, root {tree.root.hex()}"
            elif options["url"]:
                said = self.remote(options)
            else:
                said = self.database()
        except (AuditLogError, OSError) as error:
            raise CommandError(f"NOT VERIFIED: {one_line(error)}") from None
        self.stdout.write(said)

    def remote(self, options: dict[str, Any]) -> str:
        """The verdict on a log at an address."""
        token = token_in(options["token_file"]) if options["token_file"] else ""
        remote = Remote(options["url"], token, options["key"])
        tree = verify_remote(remote, self.progress())
        if token:
            return f"verified: {tree.size} entries, root {tree.root.hex()}"
        return (
            f"verified: the hashes of {tree.size} entries, root {tree.root.hex()}; the entries themselves "
            "were not seen (they need --token-file)"
        )

    def database(self) -> str:
        """The verdict on the log in the database, and on the rows that must have their entries."""
        verdict, looked_at = verify_database(self.progress()), 0
        if not verdict.problem:
            problem, looked_at = self.rows()
            verdict = replace(verdict, problem=problem)
        try:
            remember(verdict)
        except OSError as error:
            self.stderr.write(f"the verdict cannot be kept for the page of the log: {error}")
        if verdict.problem:
            raise CommandError(str(verdict))
        return f"{verdict}, {looked_at} rows with their entries"

    def rows(self) -> tuple[str, int]:
        """What is wrong with the rows that must have their entries, or nothing, and how many there are."""
        try:
            found = verify_rows()
        except RowsUnreadable as error:
            return f"the log is sound, but {error}", 0
        return (f"{found.missing} has no entry in the log" if found.missing else ""), found.rows

    def progress(self) -> Any:
        """Says how far it is, every two seconds, when somebody may be watching."""
        said = time.monotonic()

        def say(done: int, total: int) -> None:
            nonlocal said
            if time.monotonic() - said >= EVERY:
                said = time.monotonic()
                self.stderr.write(f"{done:,} of {total:,} entries")

        return say


def token_in(path: Path) -> str:
    """What an auditor's file holds. Raises CommandError for what is no text, and OSError."""
    try:
        return path.read_text().strip()
    except UnicodeDecodeError:
        raise CommandError(
            f"--token-file: expected an auditor's token; {path} is no text"
        ) from None
