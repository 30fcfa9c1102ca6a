"""Where an installation keeps its files, which kind it is, and how it is made ready to start.

Standard library only. ``manage.py setup`` takes seconds, so a second start skips it as long as
nothing that it depends on has changed; the comparison is made here.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.setup import LOCKS, PYTHON, ROOT

MANAGE = ROOT / "manage.py"
SETTINGS = ("DATABASE_URL", "KEYSTORE_URL", "CACHE_URL", "CONSENTRY_DEMO")


class NotReady(Exception):
    """The installation cannot be made ready; the message says which step failed."""


@dataclass(frozen=True)
class Installation:
    """One set of folders and the environment that its processes run in.

    Fields:
        var: data, as sealed files and SQLite databases; keys: what opens them, kept apart.
    """

    var: Path
    keys: Path
    environment: Mapping[str, str]

    @property
    def demo(self) -> bool:
        """Whether demo people are made, and every page says so."""
        return self.environment["CONSENTRY_DEMO"] == "1"

    @property
    def run(self) -> Path:
        """Locks, process numbers and marks."""
        return self.var / "run"

    @property
    def log(self) -> Path:
        """What the processes write."""
        return self.var / "log"


def from_environment(given: Mapping[str, str], port: int) -> Installation:
    """The installation that the environment describes.

    Without CONSENTRY_DEMO a new embedded installation is a demo; one that exists stays what it is,
    and anything with its own database or an https address is never a demo by default.
    """
    var = Path(given.get("CONSENTRY_VAR") or ROOT / "var").absolute()
    keys = Path(given.get("CONSENTRY_KEYS") or ROOT / "keys").absolute()
    environment = {**given, "CONSENTRY_VAR": str(var), "CONSENTRY_KEYS": str(keys)}
    environment.setdefault("SITE_URL", f"http://localhost:{port}")
    if "CONSENTRY_DEMO" not in given:
        ours = "DATABASE_URL" not in given and environment["SITE_URL"].startswith("http://")
        demo = kind(var) == "demo" or (kind(var) == "" and ours)
        environment["CONSENTRY_DEMO"] = "1" if demo else "0"
    return Installation(var, keys, environment)


def kind(var: Path) -> str:
    """What ``manage.py setup`` noted: "demo", "real", or nothing before the first set-up."""
    try:
        return (var / "installation").read_text().strip()
    except OSError:
        return ""


def sources() -> Iterator[Path]:
    """The files of the program that a set-up depends on: locks, migrations, static files."""
    yield from LOCKS.values()
    yield from sorted(ROOT.glob("*/migrations/*.py"))
    yield from sorted(path for path in (ROOT / "static").rglob("*") if path.is_file())
    yield from sorted(ROOT.glob("emotion/management/commands/*.py"))


def state(installation: Installation) -> str:
    """A digest of everything that a set-up depends on and makes; any change calls for another.

    Databases count by their inode: one that was put back from a backup is looked at again.
    """
    digest = hashlib.sha256()
    for path in sources():
        digest.update(f"{path.relative_to(ROOT)} {path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())
    made = {
        str(path): path.stat().st_ino
        for path in sorted([*installation.var.glob("*.sqlite3"), *installation.keys.rglob("*")])
        # The log rewrites its highest checkpoint for as long as it lives.
        if path.is_file() and path.name != "highest_checkpoint"
    }
    chosen = {name: installation.environment.get(name, "") for name in SETTINGS}
    digest.update(json.dumps([made, chosen], sort_keys=True).encode())
    return digest.hexdigest()


def embedded(installation: Installation) -> bool:
    """Whether everything that a set-up makes lies in these folders, so that it can be compared."""
    urls = (installation.environment.get(name, "") for name in SETTINGS[:3])
    return not any(urls) and (installation.var / "static" / "staticfiles.json").exists()


def prepare(installation: Installation) -> None:
    """Keys, tables, static files and, in a demo, its people. Raises NotReady when a step fails."""
    stamp = installation.run / "prepared"
    if embedded(installation) and stamp.exists() and stamp.read_text() == state(installation):
        return
    manage(installation, "setup")
    if installation.demo:
        manage(installation, "demo_study")
    stamp.write_text(state(installation))


def manage(installation: Installation, *arguments: str) -> None:
    """Run a management command in the foreground; raises NotReady when it fails."""
    done = subprocess.run([PYTHON, MANAGE, *arguments], env=installation.environment, cwd=ROOT)
    if done.returncode:
        raise NotReady(f"`manage.py {' '.join(arguments)}` failed; nothing was started.")


def make_folders(installation: Installation) -> None:
    """The folders that the supervisor itself needs, for this user alone.

    Raises NotReady when they cannot be made or written to.
    """
    broker = installation.var / "broker" / "tmp"
    for folder in (installation.var, installation.run, installation.log, broker):
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise NotReady(f"{folder} cannot be made: {error.strerror}.") from None
        if not os.access(folder, os.W_OK | os.X_OK):
            raise NotReady(f"No permission to write to {folder}.")
