"""``manage.py backup DIR``: one backup of now, encrypted; may run while everything else does."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audit_log.errors import AuditLogError, one_line
from emotion.backups import make_backup
from emotion.errors import BackupFailed
from emotion.unfinished import ending_in_order
from vault.errors import VaultError


class Command(BaseCommand):
    """Write data, keystore and log; say what was written."""

    help = "Write an encrypted backup: data with blobs, the keystore apart, the log beside."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where to."""
        parser.add_argument("folder", type=Path, help="on another disk, best on another machine")

    def handle(self, *args: Any, **options: Any) -> None:
        """One backup; what stands in the way is one line, and what a killed one has left is removed."""
        try:
            with ending_in_order():
                made = make_backup(options["folder"])
        except (BackupFailed, AuditLogError, VaultError, OSError) as error:
            raise CommandError(one_line(error)) from None
        self.stdout.write(f"data      {made.data}  ({made.blobs:,} sealed files)")
        self.stdout.write(f"keystore  {made.keystore}")
        self.stdout.write(f"log       {options['folder'] / 'log'}  ({made.entries:,} entries)")
        for place in made.keys:
            self.stdout.write(f"opened by {place}  (in no backup; copied elsewhere?)")
