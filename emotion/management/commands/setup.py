"""``manage.py setup``: everything an installation needs before it starts; safe to repeat.

Folders, keys, tables of both databases, the cache table, static files; and, for a real installation,
its first administrator. Demo people are made by ``demo_study`` and never here.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import secrets
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.checks import Tags, run_checks
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connections
from django.urls import reverse

from accounts.actors import SYSTEM_SETUP
from accounts.errors import AccountsError
from accounts.models import Role
from accounts.operators import create_operator, operators, reset_sign_in
from audit_log.clock import ClockState, read_clock
from audit_log.database_roles import may_make_tables
from audit_log.promises import ensure_promise_key
from audit_log.signing import ensure_key
from consent.dead_keys import destroy_again
from emotion.faults import in_a_line
from emotion.upgrades import UNFINISHED, is_unfinished, unapplied
from vault.epochs import record_entries
from vault.setup import ensure_root, not_made, require_both_databases

DATABASES = {"default": "DATABASE_URL", "keystore": "KEYSTORE_URL"}


class Command(BaseCommand):
    """Makes what is missing and leaves what is there."""

    help = "Make folders, keys, tables and static files; with --administrator, the first operator."
    requires_system_checks = ()  # asked by ``handle``, which says it in one line

    def add_arguments(self, parser: CommandParser) -> None:
        """The two ways to let somebody in from the machine itself."""
        who = parser.add_mutually_exclusive_group()
        who.add_argument("--administrator", metavar="EMAIL", help="make the first administrator")
        who.add_argument(
            "--reset-administrator",
            metavar="EMAIL",
            help="new password for an administrator who is locked out; their second factors end",
        )
        parser.add_argument(
            "--ask-password",
            action="store_true",
            help="with --administrator: ask for the password instead of making one",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run every step; raises CommandError, before anything is made, when one cannot be run."""
        os.umask(0o077)
        if is_unfinished():
            raise CommandError(UNFINISHED)
        require_checks()
        make_folders()
        require_answers()
        require_both_databases()
        make_files()
        require_owner()
        for database in DATABASES:
            call_command("migrate", database=database, verbosity=0, interactive=False)
        call_command("createcachetable", verbosity=0)
        if settings.DATABASE_APPLICATION:
            call_command("database_roles", stdout=self.stdout)
        require_checks(tags=[Tags.database], databases=list(DATABASES))
        require_clock()
        ensure_root()
        ensure_key()
        ensure_promise_key()
        record_entries()
        self.bury_again()
        collect_static()
        note_kind()
        if options["administrator"] is not None:
            self.first_administrator(options["administrator"], ask=options["ask_password"])
        elif options["reset_administrator"] is not None:
            self.reset(options["reset_administrator"])
        elif not settings.DEMO and not operators().filter(role=Role.ADMINISTRATOR).exists():
            self.stdout.write(
                "Nobody can sign in yet. Make the first administrator: "
                ".venv/bin/python manage.py setup --administrator you@example.org"
            )

    def bury_again(self) -> None:
        """Destroy what a keystore that came back by other means than ``restore`` has revived."""
        if revived := destroy_again():
            self.stdout.write(
                f"{revived} keys lived again that the log names as destroyed, and are destroyed again: an "
                "older keystore was put in place. Look whether anything was read under them meanwhile."
            )

    def first_administrator(self, email: str, *, ask: bool) -> None:
        """Make the one operator whom no other operator can make."""
        if settings.DEMO:
            raise CommandError("A demo has its administrator; set CONSENTRY_DEMO=0 for a real one.")
        if operators().filter(role=Role.ADMINISTRATOR).exists():
            raise CommandError("There is an administrator, who can make further operators.")
        password = asked_password() if ask else secrets.token_urlsafe(15)
        try:
            create_operator(SYSTEM_SETUP, email=email, role=Role.ADMINISTRATOR, password=password)
        except AccountsError as error:
            raise CommandError(str(error)) from None
        self.tell(email, "" if ask else password)

    def reset(self, email: str) -> None:
        """Let an administrator in again; the way back when nobody else is left to do it."""
        found = operators().filter(role=Role.ADMINISTRATOR, email__iexact=email).first()
        if found is None:
            raise CommandError(f"No administrator has the address {email}.")
        self.tell(found.email, reset_sign_in(SYSTEM_SETUP, found.id))

    def tell(self, email: str, password: str) -> None:
        """How to sign in; a password that was made is shown this once."""
        shown = f" with the password {password} (shown once)" if password else ""
        self.stdout.write(
            f"{email} signs in at {settings.SITE_URL}{reverse(settings.LOGIN_URL)}{shown}."
        )
        self.stdout.write("The first sign-in asks for a second factor to be set up.")


def asked_password() -> str:
    """A password typed twice; raises CommandError when the two differ."""
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise CommandError("The two passwords differ.")
    return password


def require_checks(**chosen: Any) -> None:
    """Raises CommandError with one line about the first system check that found an error."""
    for found in run_checks(**chosen):
        if found.is_serious() and not found.is_silenced():
            raise CommandError(" ".join(filter(None, [found.msg, found.hint, f"({found.id})"])))


def require_answers() -> None:
    """Raises CommandError when a database cannot be used; a SQLite file may not be there yet."""
    for alias, variable in DATABASES.items():
        if not_made(alias):
            continue
        try:
            connections[alias].ensure_connection()
        except DatabaseError as error:
            raise CommandError(
                f"The database of {variable} cannot be used: {in_a_line(error)}"
            ) from None


def require_owner() -> None:
    """Raises CommandError when tables are missing that the connected role may not make."""
    for alias, variable in DATABASES.items():
        if not may_make_tables(alias) and (missing := unapplied(alias)):
            raise CommandError(
                f"The database of {variable} lacks {missing} migrations, and the connected role may not "
                "make tables: run `manage.py setup` with DATABASE_OWNER and DATABASE_APPLICATION, as a "
                "login that belongs to the owner (docs/operating.md, Two roles on PostgreSQL)."
            )


def require_clock() -> None:
    """Raises CommandError when the clock is behind the latest time that was seen here."""
    found = read_clock()
    if found.state is ClockState.BEHIND:
        raise CommandError(found.words())


def make_files() -> None:
    """New SQLite databases, empty: nothing but the set-up makes one (``env.sqlite_name``)."""
    for file in settings.SQLITE_FILES.values():
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)


def make_folders() -> None:
    """The folders of data and keys, open to this user alone."""
    folders = [settings.VAR_DIR, settings.KEYS_DIR, settings.BLOB_DIR]
    if settings.CELERY_BROKER_URL.startswith("filesystem"):
        folders += [settings.BROKER_DIR / name for name in ("queue", "processed", "control")]
    for folder in folders:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def note_kind() -> None:
    """Write down whether this is a demo, once; consentry.E007 holds later starts to it."""
    mark = settings.VAR_DIR / "installation"
    if not mark.exists():
        mark.write_text("demo\n" if settings.DEMO else "real\n")


def static_digest() -> str:
    """A digest over the names and bytes of all static files."""
    digest = hashlib.sha256()
    for finder in finders.get_finders():
        for name, storage in finder.list([]):
            digest.update(name.encode() + b"\0" + Path(storage.path(name)).read_bytes())
    return digest.hexdigest()


def collect_static() -> None:
    """Collect and compress the static files, when any of them changed since the last time."""
    stamp = settings.VAR_DIR / "run" / "static"
    digest = static_digest()
    manifest = Path(settings.STATIC_ROOT) / "staticfiles.json"
    if manifest.exists() and stamp.exists() and stamp.read_text() == digest:
        return
    call_command("collectstatic", verbosity=0, interactive=False)
    stamp.parent.mkdir(mode=0o700, exist_ok=True)
    stamp.write_text(digest)
