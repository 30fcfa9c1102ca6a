"""The clock of a request: one calendar month, and two more when the person is told why (Art. 12(3)).

A period in months ends with the last hour of the day that has the same number, or of the month's last
day where there is none (Regulation 1182/71). Days are those of the installation's own time zone.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import date, datetime, time

from django.utils import timezone
from django.utils.timezone import localdate

MONTHS = 1
MONTHS_MORE = 2


def month_later(day: date, months: int) -> date:
    """The day with the same number so many months later, or that month's last."""
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    last = monthrange(year, month + 1)[1]
    return date(year, month + 1, min(day.day, last))


def due_after(received: datetime, months: int) -> datetime:
    """The last second of the day on which an answer is due."""
    last = datetime.combine(month_later(localdate(received), months), time(23, 59, 59))
    return timezone.make_aware(last)


def days_left(due: datetime) -> int:
    """How many days are left after today; negative when they are over."""
    return (localdate(due) - localdate()).days
