"""``manage.py restore DATA --identity FILE --log DIR``: put a backup back, and what has ended since."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import pyrage
from django.core.management.base import BaseCommand, CommandError

from audit_log.errors import AuditLogError
from emotion.errors import BackupFailed
from emotion.restoring import restore
from vault.errors import VaultError


class Command(BaseCommand):
    """Restore into an empty main database; nothing else may run."""

    help = "Put a backup back where the main database is empty or missing."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The backup, what opens it, and the log that says what happened since."""
        parser.add_argument("data", type=Path, help="DIR/data/….tar.age of `manage.py backup DIR`")
        parser.add_argument("--identity", type=Path, required=True, help="age's identity file")
        parser.add_argument("--log", type=Path, required=True, help="the newest export of the log")
        parser.add_argument("--keystore", type=Path, help="DIR/keystore/….tar.age, if that is lost")

    def handle(self, *args: Any, **options: Any) -> None:
        """Restore and report; what stands in the way is one line."""
        try:
            report = restore(
                options["data"],
                options["log"],
                identities(options["identity"]),
                options["keystore"],
            )
        except (BackupFailed, AuditLogError, VaultError, OSError) as error:
            raise CommandError(str(error)) from None
        again = report.again
        for line in (
            f"backup of {report.made_at} is back; {report.replayed:,} later log entries replayed",
            f"ended again: {again.consents_ended} consents, {again.accounts_closed} accounts, "
            f"{again.purposes_closed} purposes, {again.keys_destroyed} keys",
            f"paused until the person says otherwise: {again.consents_paused} consents",
            f"recordings without living keys: {report.recordings}, removed",
            f"shut out until an administrator looks: {report.operators} operators, "
            f"{report.clients} API clients; all sessions and links ended",
            f"disabled, to be made anew by an administrator: {report.webhooks} webhooks",
            f"to be set again by hand, placed or shortened since: {report.holds} legal holds, "
            f"{report.periods} periods",
            "Given or changed since the backup, and lost: everything that the log only tells of.",
            "Now run `manage.py setup` and `manage.py verify_log`.",
        ):
            self.stdout.write(line)


def identities(path: Path) -> list[pyrage.x25519.Identity]:
    """The identities of a file as age-keygen writes it. Raises CommandError."""
    try:
        lines = [line.strip() for line in path.read_text().splitlines()]
        keys = [line for line in lines if line and not line.startswith("#")]
        found = [pyrage.x25519.Identity.from_str(key) for key in keys]
    except (OSError, UnicodeDecodeError, pyrage.IdentityError):
        found = []
    if not found:
        raise CommandError(f"{path}: expected an identity file of age, AGE-SECRET-KEY-1…")
    return found
