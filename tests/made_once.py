"""What most tests begin with is made once by each test process and copied: a study, and who said yes to it.

It is made as everywhere, by pages and services; then both databases and the keys are kept as they are.
A test that asks for the same, in databases that nobody has written to since, gets them back as they were.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import time_machine
from django.conf import settings
from django.db import connections

from tests.databases import ALIASES, close_all, connected, is_sqlite
from tests.reusing import AsMade

Made = TypeVar("Made")
FRESH = 300.0
"""Seconds for which it is copied: its times are so much older than the test at most."""
READING = ("SELECT", "PRAGMA", "SAVEPOINT", "RELEASE", "BEGIN", "SHOW", "EXPLAIN")


@dataclass(frozen=True)
class Kept:
    """Both databases, the keys, and what the maker returned; ``at``: seconds of the monotonic clock.

    ``name`` is of this one only: what was made after it holds its rows, and fits no other.
    """

    name: str
    value: Any
    at: float
    keys: Path
    files: dict[str, Path]
    rows: dict[str, AsMade]


@dataclass
class House:
    """What lies in the databases of the test at hand.

    Fields:
        holds: the name of what was kept last and lies there unchanged; empty after any other change.
        kept: what was kept, by what it was made after and by what it is.
    """

    holds: str = ""
    kept: dict[tuple[str, str], Kept] = field(default_factory=dict)
    folder: Path | None = None

    def watch(self) -> None:
        """Notice from now on what changes the databases of this thread."""
        for alias in ALIASES:
            if self.see not in connections[alias].execute_wrappers:
                connections[alias].execute_wrappers.append(self.see)

    def see(self, execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        """An execute wrapper of Django's."""
        if self.holds and not str(sql)[:20].lstrip().upper().startswith(READING):
            self.holds = ""
        return execute(sql, *rest)

    def keep(self, value: Any) -> Kept:
        """Keep the databases and keys as they are now."""
        if self.folder is None:
            self.folder = Path(tempfile.mkdtemp(prefix="made-once-", dir=settings.VAR_DIR))
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        close_all()
        files, rows = {}, {}
        for alias in ALIASES:
            name = str(connections[alias].settings_dict["NAME"])
            if is_sqlite():
                files[alias] = Path(shutil.copyfile(name, folder / alias))
            else:
                with connected(name) as server:
                    rows[alias] = AsMade.of(server)
        keys = Path(shutil.copytree(settings.KEYS_DIR, folder / "keys"))
        return Kept(folder.name, deepcopy(value), time.monotonic(), keys, files, rows)

    def forget(self, kept: Kept | None) -> None:
        """Remove what is too old, and what was made after it."""
        if kept is not None:
            shutil.rmtree(kept.keys.parent)
            for after in [each for each in self.kept if each[0] == kept.name]:
                self.forget(self.kept.pop(after))

    def bring(self, kept: Kept) -> bool:
        """Put the databases and keys as they were kept; returns whether they are."""
        close_all()
        for alias in ALIASES:
            name = str(connections[alias].settings_dict["NAME"])
            if is_sqlite():
                for beside in ("-wal", "-shm"):
                    Path(name + beside).unlink(missing_ok=True)
                shutil.copyfile(kept.files[alias], f"{name}.fresh")
                Path(f"{name}.fresh").replace(name)
            else:
                with connected(name) as server:
                    if not kept.rows[alias].restore(server):
                        return False
        shutil.rmtree(settings.KEYS_DIR)
        shutil.copytree(kept.keys, settings.KEYS_DIR)
        return True


house = House()


def made_once(what: str, make: Callable[[], Made]) -> Made:
    """What ``make`` returns, with all that it does to the databases: done, or as it was done before."""
    if not house.holds or time_machine.escape_hatch.is_travelling():
        return make()
    step = (house.holds, what)
    kept = house.kept.get(step)
    if kept and time.monotonic() - kept.at < FRESH and house.bring(kept):
        house.holds = kept.name
        value: Made = deepcopy(kept.value)
        return value
    made = make()
    if not (settings.BLOB_DIR.exists() and any(settings.BLOB_DIR.iterdir())):
        house.forget(kept)
        house.kept[step] = house.keep(made)
        house.holds = house.kept[step].name
    return made
