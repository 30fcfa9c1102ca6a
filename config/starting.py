"""What stands in the way of a start or of a command, said in one line instead of a traceback."""

from __future__ import annotations

import os
import re
import sys
import threading
from typing import Any, NoReturn

from django.core.exceptions import ImproperlyConfigured
from django.core.management import BaseCommand, ManagementUtility
from django.core.management.base import SystemCheckError

from audit_log.errors import AuditLogError
from emotion.faults import in_a_line, is_environment
from vault.errors import VaultError

ISSUE = re.compile(r"^\S+: (\(\S+\)) (.+)$")  # an issue as Django lists it: of what, id, words
HINT = "\tHINT: "


class Commands(ManagementUtility):
    """Django's commands; what a system check found is a line each, without headings and counts."""

    def fetch_command(self, subcommand: str) -> BaseCommand:
        """The command, whose checks end it with ``ChecksFailed``."""
        command = super().fetch_command(subcommand)
        ask = command.check

        def check(*args: Any, **options: Any) -> None:
            try:
                ask(*args, **options)
            except SystemCheckError as error:
                raise ChecksFailed(str(error)) from error

        # Between the checks and what Django prints of them there is no other place to stand in.
        command.check = check  # type: ignore[method-assign]  # of this one object, on purpose
        return command


class ChecksFailed(Exception):
    """System checks found what stands in the way: a line each, worded as ``manage.py setup`` does."""

    def __init__(self, listed: str) -> None:
        issues: list[tuple[str, str]] = []
        for line in re.sub(r"\x1b\[[0-9;]*m", "", listed).splitlines():
            if found := ISSUE.match(line):
                issues.append((found[2], found[1]))
            elif line.startswith(HINT) and issues:
                words, name = issues.pop()
                issues.append((f"{words} {line.removeprefix(HINT)}", name))
        super().__init__("\n".join(f"{words} {name}" for words, name in issues) or listed)


def run_command(arguments: list[str]) -> None:
    """Run a management command; a known fault ends it with one line and exit status 1.

    ``--traceback`` shows where it happened.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    if "--traceback" not in arguments:
        threading.excepthook = in_a_thread
    try:
        Commands(arguments).execute()
    except Exception as error:
        if "--traceback" in arguments:
            raise
        stop_for(error)


def stop_for(error: Exception) -> NoReturn:
    """End this process with the error's line; an error that nobody expected goes on as it is."""
    if line := known(error):
        sys.exit(line)
    raise error


def known(error: BaseException | None) -> str:
    """The line about a fault that an operator can mend; nothing for any other."""
    if isinstance(error, ChecksFailed):
        return str(error)
    if isinstance(error, ImproperlyConfigured):
        return " ".join(str(error).split())
    if error is None:
        return ""
    if is_environment(error) or isinstance(error, VaultError | AuditLogError | OSError):
        return in_a_line(error)
    return ""


def in_a_thread(failed: threading.ExceptHookArgs) -> None:
    """Say the same of the thread in which ``runserver`` runs; it goes on watching for a changed file."""
    if line := known(failed.exc_value):
        sys.stderr.write(f"{line}\n")
    else:
        threading.__excepthook__(failed)
