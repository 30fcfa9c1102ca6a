"""What gunicorn serves for ``benchmarks.api``: the product, and ``/bare/`` without any middleware."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.handlers.wsgi import WSGIHandler
from django.test import override_settings

from config.wsgi import application as product

with override_settings(MIDDLEWARE=[]):  # read once, when the handler is made
    bare = WSGIHandler()


def application(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
    handler = bare if environ["PATH_INFO"].startswith("/bare/") else product
    return handler(environ, start)
