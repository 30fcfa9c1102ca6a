"""What gunicorn does in each of its processes before it answers (``--config python:config.gunicorn``)."""

from __future__ import annotations

import gc
from importlib import import_module
from typing import Any

from django.conf import settings


def post_worker_init(worker: Any) -> None:
    """Load every view, and let no collection of garbage go through what is loaded, which stays.

    A full collection went through all of it, and the request in which it fell waited for a tenth of a
    second. Not before the fork: ONNX Runtime starts a thread when it is imported, and a fork has none.
    """
    import_module(settings.ROOT_URLCONF)
    gc.collect()
    gc.freeze()
