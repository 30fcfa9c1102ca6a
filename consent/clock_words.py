"""In which zone the times of a form are read, and what time it is there: a browser may be elsewhere."""

from __future__ import annotations

from django.utils import timezone
from django.utils.translation import gettext as _


def clock() -> dict[str, str]:
    """``zone``, such as UTC or Europe/Berlin (CET), and the time there ``now``, as 02:43."""
    here = timezone.localtime()
    name, short = timezone.get_current_timezone_name(), here.tzname() or ""
    return {"zone": name if short == name else f"{name} ({short})", "now": f"{here:%H:%M}"}


def read_in() -> str:
    """The sentence of a form that asks for times."""
    return _("Times are %(zone)s; it is now %(now)s.") % clock()


def in_the_future() -> str:
    """What is said of a time that has not come, which is often one of another zone."""
    return _("This time is in the future (times here are %(zone)s; it is now %(now)s).") % clock()
