"""How much one API client may do. The numbers are the operator's: ``docs/operating.md``."""

from __future__ import annotations

from django.conf import settings

from accounts.counting import Limit

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


REFUSALS = Limit("refusals", 10, SECONDS["h"])
"""Entries about one key that is refused for one reason: a program that tries for ever fills no log."""


def requests_limit() -> Limit:
    """Requests of one client: ``API_RATE`` ("3000/min"), read when a request comes."""
    quota, _slash, unit = settings.API_RATE.partition("/")
    return Limit("requests", int(quota), SECONDS[unit[0]])


def analyses_limit() -> Limit:
    """Analyses that one client may have begun in a day: ``CLIENT_ANALYSES_PER_DAY``."""
    return Limit("analyses", settings.CLIENT_ANALYSES_PER_DAY, SECONDS["d"])
