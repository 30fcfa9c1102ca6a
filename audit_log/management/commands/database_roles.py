"""``manage.py database_roles``: give the application's role on PostgreSQL exactly what it needs."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connections

from audit_log.database_roles import give_rights
from audit_log.errors import RolesWrong


class Command(BaseCommand):
    """Part of every ``manage.py setup`` with DATABASE_APPLICATION; may be repeated."""

    help = "Give the role DATABASE_APPLICATION its rights, as DATABASE_OWNER, in both databases."

    def handle(self, *args: Any, **options: Any) -> None:
        """One line for each database. Raises CommandError with what stands in the way."""
        if not settings.DATABASE_APPLICATION:
            raise CommandError("DATABASE_OWNER and DATABASE_APPLICATION must name the two roles.")
        for alias in connections:
            if connections[alias].vendor != "postgresql":
                self.stdout.write(f"{alias}: not on PostgreSQL, so there are no roles")
                continue
            try:
                tables = give_rights(alias, settings.DATABASE_APPLICATION)
            except (RolesWrong, DatabaseError) as error:
                raise CommandError(" ".join(str(error).split())) from None
            self.stdout.write(
                f"{alias}: {settings.DATABASE_APPLICATION} has its rights on {tables} tables"
            )
