"""``manage.py verify_log``: verify the whole access log, here or exported; one line says the verdict."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audit_log.errors import AuditLogError
from audit_log.export import verify_export
from audit_log.verdicts import remember
from audit_log.verification import verify_database


class Command(BaseCommand):
    """Verify the access log: entries, tree, checkpoints and signatures. Exit status 1 on a mismatch."""

    help = "Verify the access log in the database, or as it was exported."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Of the database, unless a folder is named."""
        parser.add_argument("--folder", type=Path, help="verify what export_log wrote there")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the verdict. Raises CommandError when something does not fit."""
        if options["folder"]:
            try:
                tree = verify_export(options["folder"])
            except AuditLogError as error:
                raise CommandError(f"NOT VERIFIED: {error}") from None
            self.stdout.write(f"verified: {tree.size} entries, root {tree.root.hex()}")
            return
        verdict = verify_database()
        try:
            remember(verdict)
        except OSError as error:
            self.stderr.write(f"the verdict cannot be kept for the page of the log: {error}")
        if verdict.problem:
            raise CommandError(str(verdict))
        self.stdout.write(str(verdict))
