"""``manage.py run_witness``: watch somebody else's log, and cosign what only grows."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audit_log.checkpoint import InvalidNote, SignerKey, VerifierKey
from audit_log.cosignature import witness_key
from audit_log.durable_files import write_durably
from audit_log.errors import one_line
from audit_log.witness import Witness
from audit_log.witness_server import Server

KEY = "witness_key"
BIND = re.compile(r"(?:[\w.-]+|\[[0-9a-f:]+\]):\d{1,5}")


class Command(BaseCommand):
    """Runs a witness for logs that this organisation does not run itself."""

    help = "Cosign the checkpoints of other organisations' logs (C2SP tlog-witness)."
    requires_system_checks = ()  # it uses no database of this installation

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where it remembers, which logs it knows, where it answers."""
        parser.add_argument("folder", type=Path, help="its key and its memory; never put back old")
        parser.add_argument(
            "--name", help="the witness's name, a URL without its scheme; needed the first time"
        )
        parser.add_argument(
            "--log",
            action="append",
            default=[],
            metavar="KEY",
            help="a verifier key, ORIGIN+HASH+KEY",
        )
        parser.add_argument("--bind", default="127.0.0.1:8100", metavar="HOST:PORT")

    def handle(self, *args: Any, **options: Any) -> None:
        """Serve until told to stop. Raises CommandError for a key, a name or an address that is none."""
        if not BIND.fullmatch(options["bind"]):
            raise CommandError(f"--bind: expected HOST:PORT; got {options['bind']!r}")
        try:
            logs = [log_key(text) for text in options["log"]]
            key = own_key(options["folder"] / KEY, options["name"])
        except (InvalidNote, OSError) as error:
            raise CommandError(one_line(error)) from None
        if not logs:
            raise CommandError(
                "Name at least one log with --log, by a key that you got from elsewhere."
            )
        self.stdout.write(f"{witness_key(key)}\nwitness of {', '.join(log.name for log in logs)}")
        self.stdout.flush()
        Server(Witness(options["folder"], key, logs), options["bind"]).run()


def log_key(text: str) -> VerifierKey:
    """The key of a log to watch. Raises CommandError for what is none."""
    try:
        return VerifierKey.parse(text)
    except InvalidNote as error:
        raise CommandError(f"--log: expected ORIGIN+HASH+KEY; got {text!r}: {error}") from None


def own_key(path: Path, name: str | None) -> SignerKey:
    """The key of this witness, made the first time. Raises CommandError, InvalidNote, OSError."""
    if not path.exists():
        if name is None:
            raise CommandError(f"{path} is not there yet: give the witness a --name.")
        write_durably(path, SignerKey.generate(name).encode() + "\n", replace=False)
    if path.stat().st_mode & 0o077:
        raise CommandError(f"{path} can be read by others; expected mode 0600.")
    key = SignerKey.parse(path.read_text())
    if name is not None and key.name != name:
        raise CommandError(f"{path} is the key of {key.name}; expected {name}.")
    return key
