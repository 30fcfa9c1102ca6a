"""Where an installation keeps its files, which kind it is, and how it is made ready to start.

Standard library only. ``manage.py setup`` takes seconds, so a second start skips it as long as
nothing that it depends on has changed; the comparison is made here.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from tools.setup import LOCKS, PYTHON, ROOT

MANAGE = ROOT / "manage.py"
ELSEWHERE = ("DATABASE_URL", "KEYSTORE_URL", "CACHE_URL")
SETTINGS = (
    *ELSEWHERE, "CONSENTRY_DEMO", "SITE_URL", "ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS",
    "BEHIND_TLS_PROXY", "TRUSTED_PROXIES", "SECRET_KEY", "SECRET_KEY_FILE", "DATABASE_CONN_MAX_AGE",
    "DATABASE_OWNER", "DATABASE_APPLICATION",
    "API_RATE", "CLIENT_ANALYSES_PER_DAY", "CLIENT_UPLOADS_AT_ONCE", "SUBJECT_UPLOADS_PER_HOUR",
    "QUEUE_AT_MOST", "CELERY_QUEUE", "CELERY_BROKER_URL", "EMAIL_URL", "EMAIL_FROM", "PHOTO_MAX_MB",
    "FILM_MAX_MB", "FILM_MAX_MINUTES", "BATCH_MAX", "EXPORT_HOURS", "CONSENTRY_WEB_THREADS",
    "UPLOAD_HOURS", "UPLOADS_UNFINISHED", "UPLOAD_PART_MB", "EXECUTION_PROVIDER",
    "SESSION_HOURS", "TIME_ZONE", "LOG_LEVEL", "TRANSIT_URL", "TRANSIT_TOKEN_FILE",
    "TRANSIT_NAMESPACE", "BACKUP_RECIPIENT", "HELP_LINES_FILE",
    "WEBHOOK_PRIVATE_HOSTS", "LOG_WITNESS_POLICY",
)  # fmt: skip
CLOCK_BACK = 300.0  # seconds; as audit_log.clock has it


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
    found = [*installation.var.glob("*.sqlite3"), installation.keys, *installation.keys.rglob("*")]
    made = {str(path): looks(path) for path in sorted(found) if kept(path)}
    chosen = {name: without_secrets(installation.environment.get(name, "")) for name in SETTINGS}
    chosen["SECRET_KEY"] = str(len(installation.environment.get("SECRET_KEY", "")))
    digest.update(json.dumps([made, chosen], sort_keys=True).encode())
    return digest.hexdigest()


def kept(path: Path) -> bool:
    """Whether a file is there to be compared; the log rewrites its highest checkpoint all the time."""
    return path.name != "highest_checkpoint" and path.exists()


def looks(path: Path) -> list[int]:
    """What tells a file from another in its place: a database changes, a key does not."""
    found = path.stat()
    changes = path.is_dir() or path.suffix == ".sqlite3"
    return [found.st_ino, found.st_mode, 0 if changes else found.st_mtime_ns]


def without_secrets(url: str) -> str:
    """A value without the password that it may hold."""
    return re.sub(r"://[^@/]*@", "://@", url)


def clock_is_behind(installation: Installation) -> bool:
    """Whether the database has seen a later time than now; the set-up then says so and refuses."""
    file = installation.var / "consentry.sqlite3"
    try:
        with closing(sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True)) as database:
            (at,) = database.execute("SELECT at FROM audit_log_clockmark").fetchone()
        seen = datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp()
    except (sqlite3.Error, TypeError, ValueError):
        return False  # never looked at yet; the set-up looks closer
    return time.time() < seen - CLOCK_BACK


def embedded(installation: Installation) -> bool:
    """Whether everything that a set-up makes lies in these folders, so that it can be compared."""
    urls = (installation.environment.get(name, "") for name in ELSEWHERE)
    return not any(urls) and (installation.var / "static" / "staticfiles.json").exists()


def prepare(installation: Installation) -> None:
    """Keys, tables, static files and, in a demo, its people. Raises NotReady when a step fails."""
    stamp = installation.run / "prepared"
    known = embedded(installation) and stamp.exists() and stamp.read_text() == state(installation)
    if known and not clock_is_behind(installation):
        return
    manage(installation, "setup")
    if installation.demo:
        manage(installation, "demo_study")
    stamp.write_text(state(installation))


def manage(installation: Installation, *arguments: str) -> None:
    """Run a management command in the foreground; raises NotReady, with its words, when it fails."""
    done = subprocess.run(
        [PYTHON, MANAGE, *arguments],
        env=installation.environment, cwd=ROOT, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    said = done.stderr.strip().removeprefix("CommandError: ")
    if done.returncode:
        raise NotReady(said or f"`manage.py {' '.join(arguments)}` failed; nothing was started.")
    if said:
        print(said, file=sys.stderr)


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
