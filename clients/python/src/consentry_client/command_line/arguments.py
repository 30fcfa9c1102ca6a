"""The commands, their arguments, and what ``--help`` says about them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import get_args
from uuid import UUID

from consentry_client.command_line import (
    erasing,
    exporting,
    fetching,
    inviting,
    listing,
    signing_in,
    uploading,
    verifying,
    watching,
)
from consentry_client.measuring import SeriesFormat
from consentry_client.models import AccessReason
from consentry_client.version import VERSION

STATUSES = """\
exit status: 0 all is done; 1 something was refused or failed (the lines say what), or a receipt is not
verified; 2 wrong usage; 3 no key, or one that the server does not take; 4 no answer, or not just now;
130 interrupted. Every command can be given again: it goes on with what is missing.

The key comes from CONSENTRY_KEY with CONSENTRY_URL, or from "consentry login"; never from an argument."""
Arguments = argparse.ArgumentParser


def parser() -> Arguments:
    """All commands with their arguments."""
    top = Arguments(
        prog="consentry",
        description="Ask for consent, send recordings and fetch results.",
        epilog=STATUSES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=VERSION)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, what, run, add_arguments in COMMANDS:
        made = commands.add_parser(name, help=what, description=what)
        made.set_defaults(run=run)
        add_arguments(made)
    return top


def of_login(made: Arguments) -> None:
    """The server."""
    made.add_argument("url", help="the server, such as https://consentry.example.org")


def none(_made: Arguments) -> None:
    """A command without arguments."""


def of_invite(made: Arguments) -> None:
    """Whom to ask."""
    made.add_argument(
        "list",
        type=Path,
        nargs="?",
        help="CSV with the columns subject and email; without it you are asked for one person",
    )
    made.add_argument("--dry-run", action="store_true", help="say who would be asked, ask nobody")
    purpose(made)


def of_upload(made: Arguments) -> None:
    """What to send."""
    made.add_argument(
        "folder", type=Path, help="P-001.jpg and P-001__2.mp4 in it are about the person P-001"
    )
    made.add_argument(
        "--map",
        type=Path,
        metavar="CSV",
        help="says whom each file is about instead of its name: columns file and subject",
    )
    made.add_argument(
        "--dry-run",
        action="store_true",
        help="say what would be sent and what refused, send nothing",
    )
    made.add_argument(
        "--record",
        type=Path,
        metavar="CSV",
        help="add a row to this file for each recording: columns file, subject (opaque id), recording",
    )
    purpose(made)


def of_subjects(made: Arguments) -> None:
    """Whose ids."""
    made.add_argument("list", type=Path, help="CSV with the column subject: your own references")
    purpose(made)


def of_watch(made: Arguments) -> None:
    """How long to wait."""
    made.add_argument(
        "--timeout",
        type=seconds,
        default=3600.0,
        metavar="SECONDS",
        help="give up after so long (3600)",
    )
    purpose(made)


def of_results(made: Arguments) -> None:
    """Where results go, in what form, and why they are read."""
    made.add_argument("folder", type=Path, help="where they go")
    form(made, "how: JSON alone (the default), or a CSV or Parquet table beside it")
    reason(made)
    purpose(made)


def of_export(made: Arguments) -> None:
    """Which results go into which archive."""
    made.add_argument("file", type=Path, help="the archive to make, such as results.zip")
    form(made, "of the files in it: json (the default), csv or parquet")
    made.add_argument(
        "--category",
        action="append",
        metavar="NAME",
        help="only this data category, such as expression; may be given again (all)",
    )
    made.add_argument(
        "--subject",
        type=UUID,
        action="append",
        metavar="ID",
        help="only this person, by opaque id; may be given again (everybody)",
    )
    for name, when in (("--created-after", "after"), ("--created-before", "before")):
        made.add_argument(
            name,
            type=moment,
            metavar="TIME",
            help=f"only what was recorded {when} this day or time, by this machine's clock "
            "unless an offset is given",
        )
    reason(made)
    purpose(made)


def of_erasures(made: Arguments) -> None:
    """Where copies lie, and whether to say that they are gone."""
    made.add_argument(
        "--delete-from", type=Path, metavar="FOLDER", help="erase them in a folder of results"
    )
    made.add_argument(
        "--acknowledge",
        action="store_true",
        help="say that you have no copies any more: of what is erased in FOLDER, or without one of what "
        "the last run without --acknowledge listed",
    )
    purpose(made)


def of_receipt(made: Arguments) -> None:
    """Which entry, and where its receipt goes."""
    made.add_argument("entry", help="the id of an entry of the access log, as results have it")
    made.add_argument("file", type=Path, help="where it goes")
    purpose(made)


def of_verify_receipt(made: Arguments) -> None:
    """What to verify, and by which key."""
    made.add_argument("file", type=Path, help="a receipt, of whomever")
    made.add_argument(
        "--key",
        action="append",
        required=True,
        help="the log's public verifier key, from a place that you trust: ORIGIN+HASH+KEY; of several each "
        "with the sizes of the log that it signed: 'ORIGIN+HASH+KEY from=N to=M'",
    )


def purpose(made: Arguments) -> None:
    """Whose key is used."""
    made.add_argument(
        "--purpose",
        default="",
        metavar="ID",
        help="which purpose, where you have several keys; its first characters are enough",
    )


def reason(made: Arguments) -> None:
    """Why results are read."""
    words = get_args(AccessReason)
    made.add_argument(
        "--reason",
        choices=words,
        required=True,
        metavar="REASON",
        help=f"the person sees it: {', '.join(words)}",
    )


def form(made: Arguments, what: str) -> None:
    """In what form results come."""
    made.add_argument("--to", choices=get_args(SeriesFormat), default="json", help=what)


def seconds(text: str) -> float:
    """How long, also for ever (``inf``); raises ValueError for what is no length of time."""
    given = float(text)
    if not given >= 0:  # nor is "nan"
        raise ValueError
    return given


def moment(text: str) -> datetime:
    """A day or a time; raises ValueError for anything else."""
    given = datetime.fromisoformat(text)
    return given.astimezone() if given.tzinfo is None else given


COMMANDS: list[
    tuple[str, str, Callable[[argparse.Namespace], int], Callable[[Arguments], None]]
] = [
    (
        "login",
        "Keep a key for later; it is asked for, or read from a pipe.",
        signing_in.login,
        of_login,
    ),
    ("logout", "Forget the kept keys.", signing_in.logout, none),
    ("purposes", "List what your keys open.", signing_in.purposes, none),
    ("invite", "Ask people for consent; a list is checked first.", inviting.invite, of_invite),
    ("subjects", "Write the opaque ids of people as CSV.", listing.subjects, of_subjects),
    ("upload", "Send the photographs and films in a folder.", uploading.upload, of_upload),
    ("watch", "Wait until the analyses under way have ended.", watching.watch, of_watch),
    ("results", "Fetch the results that you do not have yet.", fetching.results, of_results),
    ("export", "Fetch the results of many people as one archive.", exporting.export, of_export),
    ("erasures", "List the copies that you must erase.", erasing.erasures, of_erasures),
    (
        "receipt",
        "Fetch the receipt of something that you did.",
        verifying.fetch_receipt,
        of_receipt,
    ),
    (
        "verify-receipt",
        "Verify a receipt of the access log.",
        verifying.verify_receipt,
        of_verify_receipt,
    ),
]
