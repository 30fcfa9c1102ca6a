"""``manage.py verify_log``: verify the whole access log in the database; one line says the verdict."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audit_log.verification import verify_database


class Command(BaseCommand):
    """Verify the access log: entries, tree, checkpoints and signatures. Exit status 1 on a mismatch."""

    help = "Verify the access log in the database."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the verdict. Raises CommandError when something does not fit."""
        verdict = verify_database()
        if verdict.problem:
            raise CommandError(str(verdict))
        self.stdout.write(str(verdict))
