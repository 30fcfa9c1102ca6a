"""``manage.py export_log DIR``: the access log as C2SP tlog-tiles in a folder, for auditors and mirrors."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audit_log.errors import AuditLogError
from audit_log.export import export_log


class Command(BaseCommand):
    """Write what the folder lacks; may be repeated, and killed, at any time."""

    help = "Export the access log to a folder, incrementally."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where to."""
        parser.add_argument("folder", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        """Write, with progress, and say how far the folder goes now."""

        def progress(done: int, total: int) -> None:
            if total > 1000:
                self.stdout.write(f"{done:,} of {total:,} files")

        try:
            done = export_log(options["folder"], progress)
        except (AuditLogError, OSError) as error:
            raise CommandError(str(error)) from None
        self.stdout.write(
            f"{options['folder']}: {done.size:,} entries, {done.size - done.before:,} of them new, "
            f"{done.files:,} files written"
        )
