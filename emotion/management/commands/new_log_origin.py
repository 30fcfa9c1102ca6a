"""``manage.py new_log_origin NAME``: the log goes on under another name, because its end is lost."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audit_log.errors import AuditLogError
from emotion.lost_log import close_and_go_on
from emotion.management.commands.restore import LOST


class Command(BaseCommand):
    """For a database that was put back by other means than `restore`. The keeper must not run."""

    help = "Close whatever may have been ended since, and let the log go on under a new origin."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The new name, written out: nobody does this by accident."""
        parser.add_argument("name", help="a URL without scheme that this log never had")

    def handle(self, *args: Any, **options: Any) -> None:
        """Close, go on, and say what it means."""
        try:
            closed = close_and_go_on(options["name"])
        except AuditLogError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(
            f"closed: {closed.consents} consents paused, {closed.ended.operators} operators, "
            f"{closed.ended.clients} API clients and {closed.ended.auditors} auditors shut out, "
            f"{closed.webhooks} webhooks disabled, passkeys of {closed.passkeys} people removed, "
            f"{closed.ended.certificates} training certificates withdrawn"
        )
        for line in LOST:
            self.stdout.write(line)
