"""``manage.py confirm_clock``: somebody looked at the clock and says that it is right."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from audit_log.clock import FORMAT, confirm_clock


class Command(BaseCommand):
    """Ends the hold of a clock that jumped, or accepts a time before the latest one seen."""

    help = "Confirm that this machine's clock is right; written down in the access log."

    def handle(self, *args: Any, **options: Any) -> None:
        """Confirm, and say what is believed from now on."""
        before = confirm_clock()
        was = f"{before.at:{FORMAT}}" if before.at else "none"
        self.stdout.write(
            f"The clock is believed: {before.now:{FORMAT}} (latest time seen before: {was})."
        )
