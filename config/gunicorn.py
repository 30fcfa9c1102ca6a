"""What gunicorn does in each of its processes before it answers (``--config python:config.gunicorn``)."""

from __future__ import annotations

import gc
from typing import Any

from django.urls import get_resolver


def post_worker_init(worker: Any) -> None:
    """Load every view, and let no collection of garbage go through what is loaded, which stays.

    A full collection went through all of it, and the request in which it fell waited for a tenth of a
    second. Not before the fork: ONNX Runtime starts a thread when it is imported, and a fork has none.
    """
    get_resolver().url_patterns  # noqa: B018  this is what loads them
    gc.collect()
    gc.freeze()
