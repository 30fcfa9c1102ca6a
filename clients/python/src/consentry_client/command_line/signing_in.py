"""``consentry login``, ``logout`` and ``purposes``."""

from __future__ import annotations

import argparse
import getpass
import sys

from consentry_client.clients import Client, check_key
from consentry_client.command_line.credentials import (
    FILE,
    Credentials,
    all_keys,
    config_folder,
    keep,
    stored,
)
from consentry_client.command_line.lines import plain
from consentry_client.command_line.outcomes import NO_KEY, OK
from consentry_client.errors import NotAuthenticated


def ask_key() -> str:
    """The key, typed without an echo or read from a pipe; raises NoKey for what cannot be one."""
    if sys.stdin.isatty():
        key = getpass.getpass("Key (it is not shown): ").strip()
    else:
        key = sys.stdin.readline().strip()
    return check_key(key)


def login(given: argparse.Namespace) -> int:
    """Ask for a key, ask the server whether it lives, and keep it under its purpose."""
    key = ask_key()
    with Client(given.url, key) as client:
        me = client.me()
        url = client.url
    folder, purpose = config_folder(), str(me.purpose)
    others = [each for each in stored(folder) if each.purpose != purpose]
    keep(folder, [*others, Credentials(url, key, purpose)])
    print(
        f"Logged in as {plain(me.name)}, for the purpose {purpose}, until {me.expires_at:%Y-%m-%d}."
    )
    print(f"The key is in {folder / FILE}, which only you can read.")
    return OK


def logout(_given: argparse.Namespace) -> int:
    """Forget every kept key. On the server they stay valid until their end."""
    path = config_folder() / FILE
    path.unlink(missing_ok=True)
    print("The kept keys are forgotten here; an administrator can take them back on the server.")
    return OK


def purposes(_given: argparse.Namespace) -> int:
    """One line for each purpose that a key opens; exit status 3 when a kept key opens none any more."""
    status = OK
    for kept in all_keys():
        try:
            show(kept)
        except NotAuthenticated:
            if not kept.purpose:  # of a key of the environment nobody knows which it was
                raise
            print(
                f"{kept.purpose}  its key is not taken any more: consentry login {plain(kept.url)}"
            )
            status = NO_KEY
    return status


def show(kept: Credentials) -> None:
    """The line of the purpose that a key opens. Raises NotAuthenticated."""
    with Client(kept.url, kept.key) as client:
        for each in client.purposes():
            taken = [
                word
                for word, yes in (("photographs", each.photographs), ("films", each.films))
                if yes
            ]
            print(f"{each.id}  {each.state:<9}  {', '.join(taken):<18}  {plain(each.name)}")
