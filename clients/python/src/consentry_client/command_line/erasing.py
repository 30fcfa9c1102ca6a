"""``consentry erasures``: which copies must be erased, doing it, and saying that it is done."""

from __future__ import annotations

import argparse
from pathlib import Path
from uuid import UUID

from consentry_client.clients import Client
from consentry_client.command_line.copies_here import copies_of, erase
from consentry_client.command_line.credentials import open_client
from consentry_client.command_line.lines import Outcomes
from consentry_client.command_line.listed_erasures import ListedErasures
from consentry_client.command_line.made_together import take_out
from consentry_client.command_line.outcomes import Stop
from consentry_client.command_line.upload_state import state_folder
from consentry_client.models import Erasure

FAILED, WAITING = "failed", "to erase"
MOST = 100
"""Erasures that the server lists at a time; those behind them come when these are confirmed."""
MORE = "More may wait behind these: erase and confirm these, then run the command again."
UNTOLD = "not listed before: erase it, run the command without --acknowledge, then confirm it"


def erasures(given: argparse.Namespace) -> int:
    """One line for each erasure; exit status 1 while any is left."""
    folder: Path | None = given.delete_from
    if folder is not None and not folder.is_dir():
        raise Stop(f"{folder} is not a folder.")
    with open_client(given.purpose) as (client, purpose):
        erasing = Erasing(client, folder, ListedErasures(state_folder(), purpose))
        return erasing.confirm_all() if given.acknowledge else erasing.list_all()


class Erasing:
    """One run of the command."""

    def __init__(self, client: Client, folder: Path | None, listed: ListedErasures) -> None:
        self.client, self.folder, self.listed = client, folder, listed
        self.outcomes = Outcomes(frozenset({FAILED, WAITING}))

    def list_all(self) -> int:
        """Say what waits, and erase it here if that was asked for. Nothing is confirmed."""
        waiting, told = self.client.erasures(), []
        for each in waiting:
            here = self.obey(each)
            if here is not None:
                self.outcomes.add(WAITING, words(each), here)
                told.append(each.id)
        self.listed.keep(told)
        return self.end(waiting)

    def confirm_all(self) -> int:
        """Confirm what is erased here, or without a folder what was listed before and no more."""
        before = self.listed.read()
        seen: set[UUID] = set()
        waiting = self.client.erasures()
        while new := [each for each in waiting if each.id not in seen]:
            for each in new:
                seen.add(each.id)
                if self.folder is None and str(each.id) not in before:
                    self.outcomes.add(WAITING, words(each), UNTOLD)
                    continue
                here = self.obey(each)
                if here is not None:
                    self.client.acknowledge_erasure(each.id)
                    self.outcomes.add("confirmed", words(each), here)
            waiting = self.client.erasures()  # what was confirmed makes room for more
        return self.end(waiting)

    def obey(self, erasure: Erasure) -> str | None:
        """Erase what is here, if that was asked for: what there is to say; None where something is left."""
        if self.folder is None:
            return ""
        try:
            return f"{erased_in(self.folder, erasure)} erased in {self.folder}"
        except OSError as error:
            what = f"{error.filename or 'a copy'} is still there ({type(error).__name__})"
            self.outcomes.add(FAILED, words(erasure), what)
            return None

    def end(self, last: tuple[Erasure, ...]) -> int:
        """Print the sum, and whether there may be more than the server listed last; the exit status."""
        status = self.outcomes.end()
        if len(last) >= MOST:
            print(MORE)
        return status


def erased_in(folder: Path, erasure: Erasure) -> int:
    """Erase the copies of an erasure: of how many files or folders. Raises OSError."""
    copies = copies_of(folder, erasure)
    for path in copies:
        erase(path)
    return len(copies) + take_out(folder, erasure)


def words(erasure: Erasure) -> str:
    """What is to be erased."""
    what = f"subject {erasure.subject or 'unknown'}"
    what += f", recording {erasure.recording}" if erasure.recording else ""
    return what + (f", only {erasure.category}" if erasure.category else ", everything")
