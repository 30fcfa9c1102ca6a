"""``manage.py export_log WHERE``: the access log as C2SP tlog-tiles, for auditors and mirrors."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audit_log.errors import AuditLogError, one_line
from audit_log.export import export_log
from audit_log.storage import storage_at


class Command(BaseCommand):
    """Write what the folder or bucket lacks; may be repeated, and killed, at any time."""

    help = "Export the access log to a folder or a bucket, incrementally."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where to."""
        parser.add_argument("where", help="a folder, or s3://BUCKET/PREFIX (with AWS_* variables)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write, with progress, and say how far the export goes now."""

        def progress(done: int, total: int) -> None:
            if done < total:
                self.stdout.write(f"{done:,} of {total:,} new entries")

        try:
            done = export_log(storage_at(options["where"]), progress)
        except (AuditLogError, OSError) as error:
            raise CommandError(one_line(error)) from None
        self.stdout.write(
            f"{options['where']}: {done.size:,} entries, {done.size - done.before:,} of them new, "
            f"{done.files:,} tiles written"
        )
