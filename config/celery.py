"""The Celery application.

The broker is a hint, never the truth: messages carry row ids only, and a lost message is
found again by the keeper from the database row.
"""

import os
from typing import Any

from celery import Celery
from celery.signals import worker_process_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("consentry")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["emotion"])


@worker_process_init.connect
def load_models(**_signal: Any) -> None:
    """Load the models once per worker process, before its first task asks for them."""
    from emotion.inference.sessions import warm_up  # only workers need the models

    warm_up()
