"""``consentry erasures``: which copies must be erased, doing it, and saying that it is done."""

from __future__ import annotations

import argparse
from pathlib import Path

from consentry_client.clients import Client
from consentry_client.command_line.copies_here import copies_of, erase
from consentry_client.command_line.credentials import open_client
from consentry_client.command_line.lines import Outcomes
from consentry_client.command_line.outcomes import Stop
from consentry_client.models import Erasure

FAILED, WAITING = "failed", "to erase"


def erasures(given: argparse.Namespace) -> int:
    """One line for each erasure; exit status 1 while any is left."""
    folder: Path | None = given.delete_from
    if folder is not None and not folder.is_dir():
        raise Stop(f"{folder} is not a folder.")
    outcomes = Outcomes(frozenset({FAILED, WAITING}))
    with open_client(given.purpose) as (client, _purpose):
        seen: set[object] = set()
        # 100 at a time: what was acknowledged makes room for more.
        while new := [each for each in client.erasures() if each.id not in seen]:
            for each in new:
                seen.add(each.id)
                outcomes.add(*obey(client, each, folder, given.acknowledge))
            if not given.acknowledge:
                break
    return outcomes.end()


def obey(
    client: Client, erasure: Erasure, folder: Path | None, acknowledge: bool
) -> tuple[str, str, str]:
    """Erase what is here, if that was asked for, and say so, if that was: the line about it."""
    erased = 0
    for path in copies_of(folder, erasure) if folder is not None else []:
        try:
            erase(path)
        except OSError as error:
            return FAILED, words(erasure), f"{path.name} is still there ({type(error).__name__})"
        erased += 1
    here = f"{erased} erased in {folder}" if folder is not None else ""
    if acknowledge:
        client.acknowledge_erasure(erasure.id)
        return "confirmed", words(erasure), here
    return WAITING, words(erasure), here


def words(erasure: Erasure) -> str:
    """What is to be erased."""
    what = f"subject {erasure.subject or 'unknown'}"
    what += f", recording {erasure.recording}" if erasure.recording else ""
    return what + (f", only {erasure.category}" if erasure.category else ", everything")
