"""The Celery application.

The broker is a hint, never the truth: messages carry row ids only, and a lost message is
found again by the keeper from the database row.
"""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("consentry")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["emotion", "consent"])
