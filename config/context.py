"""What every page may know about the installation."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest

from audit_log.ways_in import page_in_view


def installation(request: HttpRequest) -> dict[str, object]:
    """The banner of a demo installation, and where the language switch comes back to."""
    return {"demo": settings.DEMO, "page_in_view": page_in_view(request)}
