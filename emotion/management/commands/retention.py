"""``manage.py retention``: what falls due in the next days, one line per purpose. Counts only."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from consent.models import Purpose
from emotion.forecast import WITHIN_DAYS, Due, forecast


def line(due: Due) -> str:
    """One purpose in one line."""
    spans = [
        f"{name} {'/'.join(str(number) for number in numbers)}"
        for name, numbers in (
            ("recordings", due.recordings),
            ("photographs", due.photographs),
            ("consents", due.consents),
        )
    ]
    parts = [
        *spans,
        f"overdue {due.overdue}",
        f"being erased {due.under_way}",
        f"held {due.held} by {due.holds} holds",
    ]
    end = f"; everything ends on {due.ends_at:%Y-%m-%d}" if due.ends_at else ""
    return f"{due.purpose.name} ({due.purpose.state}): {', '.join(parts)}{end}"


class Command(BaseCommand):
    """Print what falls due per purpose, what is overdue, and what a legal hold postpones."""

    help = "Show what falls due in the next days, per purpose."

    def handle(self, *args: Any, **options: Any) -> None:
        """One line per purpose, and a last one for all."""
        rows = forecast(Purpose.objects.all())
        self.stdout.write(f"due within {'/'.join(map(str, WITHIN_DAYS))} days")
        for due in rows:
            self.stdout.write(line(due))
        overdue, held = sum(due.overdue for due in rows), sum(due.held for due in rows)
        self.stdout.write(f"all: {len(rows)} purposes, overdue {overdue}, held {held}")
