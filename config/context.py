"""What every page may know about the installation."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest


def installation(request: HttpRequest) -> dict[str, object]:
    """The banner of a demo installation, and nothing else."""
    return {"demo": settings.DEMO}
