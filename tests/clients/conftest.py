"""A running installation, a key of a study, and the command in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import pytest

from consentry_client import Client, Retries
from tests.browser.server import serving
from tests.cast import Study, open_study
from tests.processes import ROOT

SOURCE = ROOT / "clients" / "python" / "src"
Consentry = Callable[..., "subprocess.CompletedProcess[str]"]
Begun = Callable[..., "subprocess.Popen[Any]"]


@dataclass
class Lab:
    """A study's own program: where the installation is, and its key."""

    url: str
    study: Study
    key: str

    @property
    def purpose(self) -> str:
        return str(self.study.purpose.id)

    def client(self) -> Client:
        return Client(self.url, self.key, retries=Retries(first_pause=0.05))


@pytest.fixture
def lab(fresh_db: None) -> Iterator[Lab]:
    with serving() as url:
        study = open_study()
        yield Lab(url, study, study.key())


@pytest.fixture
def photograph() -> Path:
    """The test photograph (skimage.data.astronaut)."""
    return ROOT / "tools" / "data" / "astronaut.jpg"


NO_SERVER = {"CONSENTRY_URL": "http://127.0.0.1:9", "CONSENTRY_KEY": "cns_a_secret"}


def command(*arguments: str | Path) -> list[str]:
    """The command line of ``consentry``."""
    return [sys.executable, "-m", "consentry_client", *map(str, arguments)]


def surroundings(home: Path, **given: str) -> dict[str, str]:
    """The environment of somebody with this home folder; what is empty is not in it."""
    names = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE), "HOME": str(home)} | given
    return {name: text for name, text in names.items() if text}


@pytest.fixture
def alone(tmp_path: Path) -> Consentry:
    """Run the command as a user would who has an empty home folder, a key, and no server that answers."""

    def run(
        *arguments: str | Path, typed: str = "", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*arguments),
            env=surroundings(tmp_path / "home", **NO_SERVER | environment),
            input=typed,
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


@pytest.fixture
def begun(lab: Lab, tmp_path: Path) -> Begun:
    """Begin the command with a running installation, and go on while it runs."""

    def begin(*arguments: str | Path, **how: Any) -> subprocess.Popen[Any]:
        given = surroundings(tmp_path / "home", CONSENTRY_URL=lab.url, CONSENTRY_KEY=lab.key)
        return subprocess.Popen(command(*arguments), env=given, **how)

    return begin


@pytest.fixture
def consentry(lab: Lab, alone: Consentry) -> Consentry:
    """The same with a running installation; the key comes by the environment."""
    return partial(alone, CONSENTRY_URL=lab.url, CONSENTRY_KEY=lab.key)


def other_photographs(source: Path, folder: Path, *names: str) -> None:
    """Photographs of the same face, each of other bytes."""
    picture = cv2.imread(str(source))
    for quality, name in enumerate(names, 80):
        is_jpeg = name.endswith(".jpg")
        how = [cv2.IMWRITE_JPEG_QUALITY, quality] if is_jpeg else []
        written = cv2.imwrite(str(folder / name), picture, how)
        assert written


@pytest.fixture
def session(tmp_path: Path, photograph: Path) -> Path:
    """A folder as a laboratory has it after a day."""
    folder = tmp_path / "session"
    folder.mkdir()
    names = ("P-001.jpg", "P-001__second try.png", "P-002.jpg", "P-404__x.webp")
    other_photographs(photograph, folder, *names)
    (folder / "notes.txt").write_text("P-001 was late")
    (folder / ".hidden.jpg").write_bytes(b"")
    (folder / "__.jpg").write_bytes(b"x")
    return folder


def kept(tmp_path: Path) -> dict[str, str]:
    """Everything that the command wrote into the user's home, by path."""
    home = tmp_path / "home"
    return {
        str(path.relative_to(home)): path.read_bytes().decode("latin-1")
        for path in home.rglob("*")
        if path.is_file()
    }


def shown_on(terminal: int) -> bytes:
    """All that comes on our end of a terminal, until nobody holds the other; closes it."""
    shown = b""
    try:
        while piece := os.read(terminal, 4096):
            shown += piece
    except OSError:
        pass  # the other end is closed
    os.close(terminal)
    return shown
