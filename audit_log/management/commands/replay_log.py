"""``manage.py replay_log DIR``: after a restore, the entries that were signed after the backup was made."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audit_log.errors import AuditLogError
from audit_log.replay import replay
from audit_log.tree import tree_size


class Command(BaseCommand):
    """Append what an exported folder has and the database lacks. The keeper must not run."""

    help = "Replay exported log entries into a restored database."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where from."""
        parser.add_argument("folder", type=Path, help="what export_log wrote")

    def handle(self, *args: Any, **options: Any) -> None:
        """Replay all or nothing."""
        try:
            added = replay(options["folder"])
        except AuditLogError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{added:,} entries replayed; the log has {tree_size():,} now")
