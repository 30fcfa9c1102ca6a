"""``manage.py demo_code``: the current one-time codes of the demo operators."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accounts.operators import operators
from accounts.second_factor import app_secret, code_now


class Command(BaseCommand):
    """Prints one line for each demo operator with an authenticator app."""

    help = "Print the demo operators' current one-time codes (demo installations only)."

    def handle(self, *args: Any, **options: Any) -> None:
        """Refuses outside a demo: there, only its owner's app may know a code."""
        if not settings.DEMO:
            raise CommandError("This is not a demo installation (CONSENTRY_DEMO is not set).")
        found = False
        for user in operators().filter(is_active=True):
            if secret := app_secret(user):
                found = True
                self.stdout.write(f"{code_now(secret)}  {user.email}  ({user.get_role_display()})")
        if not found:
            raise CommandError("No operator has an authenticator app yet.")
