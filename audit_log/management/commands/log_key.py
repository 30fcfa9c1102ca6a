"""``manage.py log_key show | rotate | retire``: the keys that sign the access log's checkpoints."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audit_log.errors import AuditLogError
from audit_log.promises import ensure_promise_key
from audit_log.rotation import WINDOW, retire, rotate
from audit_log.signing import key_history


class Command(BaseCommand):
    """Show the keys, let a new one sign, or end an old one before its window is over."""

    help = "Show the access log's keys, rotate them, or end the window of a rotation now."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One word says what to do."""
        what = parser.add_subparsers(dest="what", required=True, metavar="show|rotate|retire")
        what.add_parser("show", help="all verifier keys, as they are published")
        new = what.add_parser("rotate", help="a new key; both sign until the window is over")
        new.add_argument(
            "--days",
            type=int,
            default=WINDOW.days,
            help=f"how long the old key signs too ({WINDOW.days}); 0 destroys it at once",
        )
        what.add_parser("retire", help="destroy the old key now, before its window is over")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it, and print the keys; what stands in the way is one line."""
        try:
            if options["what"] == "rotate":
                if not 0 <= options["days"] <= 366:
                    raise CommandError(f"--days: expected 0 to 366; got {options['days']}")
                rotate(timedelta(days=options["days"]))
            elif options["what"] == "retire" and not retire():
                self.stdout.write("No old key signs any more; nothing is changed.")
            if options["what"] != "show":
                ensure_promise_key()
            self.stdout.write(str(key_history()), ending="")
        except AuditLogError as error:
            raise CommandError(str(error)) from None
        if options["what"] == "rotate":
            self.stdout.write(
                "The first line is the new key: give it to auditors and witnesses. Make a new copy of "
                "keys/log/, and destroy the older copies when the old key's window is over."
            )
