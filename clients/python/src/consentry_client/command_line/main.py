"""The command ``consentry``: runs what was asked for, and ends every failure with one line and a status."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Sequence

from consentry_client.command_line import outcomes
from consentry_client.command_line.arguments import parser
from consentry_client.command_line.lines import plain
from consentry_client.errors import (
    ConnectionFailed,
    ConsentryError,
    InsecureAddress,
    NoKey,
    NotAuthenticated,
    Throttled,
    Unavailable,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    allow_every_letter()
    clean_up_when_told_to_end()
    given = parser().parse_args(arguments)
    try:
        status: int = given.run(given)
        return status
    except outcomes.Stop as error:
        return say(str(error), error.status)
    except NotAuthenticated:
        return say("The server does not take this key: consentry login", outcomes.NO_KEY)
    except NoKey as error:
        return say(str(error), outcomes.NO_KEY)
    except InsecureAddress as error:
        return say(str(error), outcomes.USAGE)
    except (ConnectionFailed, Throttled, Unavailable) as error:
        return say(f"{error} Run the command again later.", outcomes.UNREACHABLE)
    except ConsentryError as error:
        return say(str(error), outcomes.SOME_FAILED)
    except BrokenPipeError:
        # Whoever read the lines has gone; nor shall Python try to write them at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return outcomes.SOME_FAILED
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""  # a full disk is no file's
        return say(f"{where}{error.strerror or error}", outcomes.SOME_FAILED)
    except (KeyboardInterrupt, EOFError):  # Ctrl-C, or Ctrl-D where something is asked
        return say("Interrupted. Run the command again to go on.", outcomes.INTERRUPTED)


def clean_up_when_told_to_end() -> None:
    """Make an end from elsewhere, or of the terminal, as Ctrl-C: no half-made file with results stays."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has one of them only
        # What whoever began us lets pass (nohup) passes.
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)


def allow_every_letter() -> None:
    """A terminal may know fewer letters than a file's name has."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(line: str, status: int) -> int:
    """A last line on standard error; returns the status."""
    print(f"consentry: {plain(line)}", file=sys.stderr)
    return status
