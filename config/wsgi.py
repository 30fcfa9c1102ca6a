"""The WSGI entry point that gunicorn loads. It ends with one line before an upgrade's set-up."""

import os
import sys

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()

from emotion.upgrades import upgrade_needed  # noqa: E402  it needs what was just set up

if words := upgrade_needed():
    sys.exit(words)
