"""What stands in the way of a start or of a command, said in one line instead of a traceback."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

from audit_log.errors import AuditLogError
from emotion.faults import in_a_line, is_environment
from vault.errors import VaultError


def run_command(arguments: list[str]) -> None:
    """Run a management command; a known fault ends it with one line and exit status 1.

    ``--traceback`` shows where it happened.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        execute_from_command_line(arguments)
    except Exception as error:
        if "--traceback" in arguments:
            raise
        stop_for(error)


def stop_for(error: Exception) -> NoReturn:
    """End this process with the error's line; an error that nobody expected goes on as it is."""
    if isinstance(error, ImproperlyConfigured):
        sys.exit(" ".join(str(error).split()))
    if is_environment(error) or isinstance(error, VaultError | AuditLogError | OSError):
        sys.exit(in_a_line(error))
    raise error
