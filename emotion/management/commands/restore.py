"""``manage.py restore DATA --identity FILE --log DIR``: put a backup back, and what has ended since.

``manage.py restore --keystore FILE --identity FILE`` when nothing but the keystore is lost.
"""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import pyrage
from django.core.management.base import BaseCommand, CommandError

from audit_log.errors import AuditLogError, one_line
from emotion.errors import BackupFailed
from emotion.lost_keystore import restore_keystore
from emotion.restoring import restore
from emotion.unfinished import ending_in_order
from vault.errors import VaultError

LOST = (
    "THE LOG HAS LOST ENTRIES AND GOES ON UNDER A NEW ORIGIN.",
    "Receipts and proofs from after the backup fit no log that is here; their holders can prove the loss.",
    "Withdrawals, refusals, erasures and closed accounts from after the backup may be lost: every consent "
    "is paused until its person says otherwise. Ask them. Accounts closed since may be open again, and "
    "purposes closed since are open: close them by hand.",
    "If the keystore was put back too, keys that were destroyed after the end of the log that is left live "
    "again: record that as a breach.",
    "Tell auditors and witnesses the new key (`manage.py log_key show`) and the reason. Export the log and "
    "back up to new folders, and keep the old ones. Empty the caches in front of /log/.",
)


class Command(BaseCommand):
    """Restore what is lost, and nothing that is there; nothing else may run."""

    help = "Put a backup back where the main database, the keystore or both are empty or missing."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The backup, what opens it, and the log that says what happened since."""
        parser.add_argument(
            "data",
            type=Path,
            nargs="?",
            help="DIR/data/….tar.age of `manage.py backup DIR`; left out when only the keystore is lost",
        )
        parser.add_argument("--identity", type=Path, required=True, help="age's identity file")
        parser.add_argument("--log", type=Path, help="the newest export of the log")
        parser.add_argument("--keystore", type=Path, help="DIR/keystore/….tar.age, if that is lost")
        parser.add_argument(
            "--new-origin",
            metavar="NAME",
            default="",
            help="when no export reaches the end of the log: everything that may have been ended is "
            "closed, and the log goes on under this name",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Restore and report; what stands in the way is one line."""
        try:
            with ending_in_order():
                if options["data"]:
                    self.restore_data(options)
                else:
                    self.restore_keystore(options)
        except (BackupFailed, AuditLogError, VaultError, OSError) as error:
            raise CommandError(one_line(error)) from None

    def restore_keystore(self, options: dict[str, Any]) -> None:
        """Beside the main database that is there."""
        if not options["keystore"] or options["log"] or options["new_origin"]:
            raise CommandError(
                "expected the backup of the main database, or --keystore alone if only that is lost"
            )
        report = restore_keystore(options["keystore"], identities(options["identity"]))
        for line in (
            f"keystore of {report.made_at} is back; destroyed again: {report.keys} keys",
            f"recordings without living keys: {report.recordings}, removed",
            "What else was sealed since opens no more: addresses, references, letters.",
            "Now run `manage.py setup` and `manage.py verify_log`.",
        ):
            self.stdout.write(line)

    def restore_data(self, options: dict[str, Any]) -> None:
        """With the keystore, if that is lost too."""
        if not options["log"] and not options["new_origin"]:
            raise CommandError(
                "--log: expected the newest export of the log; it says what ended since"
            )
        report = restore(
            options["data"],
            options["log"],
            identities(options["identity"]),
            options["keystore"],
            options["new_origin"],
        )
        again, closed = report.again, report.closed
        for line in (
            f"backup of {report.made_at} is back; {report.replayed:,} later log entries replayed",
            f"ended again: {again.consents_ended} consents, {again.accounts_closed} accounts, "
            f"{again.purposes_closed} purposes, {again.keys_destroyed} keys",
            f"paused until the person says otherwise: {again.consents_paused + closed.consents} consents",
            f"disputes that go on: of {report.disputes} recordings; passkeys removed: of "
            f"{closed.passkeys} people",
            f"recordings without living keys: {report.recordings}, removed",
            f"shut out until an administrator looks: {closed.ended.operators} operators, "
            f"{closed.ended.clients} API clients, {closed.ended.auditors} auditors; all sessions and links "
            "ended",
            f"training certificates to be written down anew: {closed.ended.certificates}",
            f"disabled, to be made anew by an administrator: {closed.webhooks} webhooks",
            f"to be set again by hand, placed or shortened since: {report.holds} legal holds, "
            f"{report.periods} periods",
            "Given or changed since the backup, and lost: everything that the log only tells of.",
            "Now run `manage.py setup` and `manage.py verify_log`.",
        ):
            self.stdout.write(line)
        for line in LOST if options["new_origin"] else ():
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
