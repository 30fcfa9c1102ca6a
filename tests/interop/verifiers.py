"""Everybody who can verify an exported log: three programs that were written elsewhere, and our own two.

Each takes a verifier key, a folder and a file of cases, and says whether all of it fits.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from audit_log import signing
from audit_log.errors import ExportInvalid
from audit_log.export import verify_export
from audit_log.storage import Folder
from tools import verify_access_log

HERE = Path(__file__).resolve().parent
MODULES = HERE.parent.parent / "build" / "interop"
GO_PACKAGES = Path("/usr/share/gocode")
PACKAGES = ("package.json", "package-lock.json")


@dataclass(frozen=True)
class Answer:
    """What a verifier says: whether it fits, and in its own words."""

    fits: bool
    words: str


Verifier = Callable[[str, Path, Path], Answer]


@contextlib.contextmanager
def alone(lock: Path) -> Iterator[None]:
    """One test process at a time."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def run(*command: str | Path, **environment: str) -> Answer:
    """A program whose last line is the verdict; anything but status 0 and 1 is a mistake of ours."""
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | environment,
    )
    lines = done.stdout.strip().splitlines() or [""]
    words = ("verified: ", "NOT VERIFIED: ")[done.returncode] if done.returncode in {0, 1} else ""
    assert words and lines[-1].startswith(words), done.stdout
    return Answer(done.returncode == 0, lines[-1])


def built(folder: Path) -> Path:
    """The Go program, compiled once with Debian's packages."""
    program = folder / "verify"
    with alone(folder / "verify.lock"):
        if not program.exists():
            settings = {"GO111MODULE": "off", "GOFLAGS": "", "GOPATH": str(GO_PACKAGES)}
            subprocess.run(
                ["go", "build", "-o", program, HERE / "go" / "main.go"],
                check=True,
                env=os.environ | settings,
            )
    return program


def modules() -> Path:
    """The npm packages of the lock file, installed once and kept until it changes.

    The lock names no host: npm asks the registry that it is set up for, and compares the hashes.
    """
    wanted = hashlib.sha256(b"".join((HERE / "node" / name).read_bytes() for name in PACKAGES))
    with alone(MODULES / "lock"):
        stamp = MODULES / "installed"
        if not stamp.exists() or stamp.read_text() != wanted.hexdigest():
            stamp.unlink(missing_ok=True)
            for name in PACKAGES:
                shutil.copyfile(HERE / "node" / name, MODULES / name)
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
            subprocess.run(command, cwd=MODULES, check=True)
            stamp.write_text(wanted.hexdigest())
    return MODULES / "node_modules"


def with_go(folder: Path) -> Verifier:
    """golang.org/x/mod/sumdb: signature, all entries, all tiles, inclusion, consistency."""
    program = built(folder)
    return lambda key, log, cases: run(program, key, log, cases)


def with_pymerkle(key: str, log: Path, cases: Path) -> Answer:
    """pymerkle: all entries, leaf hashes, inclusion, consistency."""
    return run(sys.executable, HERE / "with_pymerkle.py", key, log, cases)


def with_sigstore() -> Verifier:
    """@sigstore/verify: signature and inclusion."""
    installed = modules()
    return lambda key, log, cases: run(
        "node", HERE / "node" / "verify.js", installed, key, log, cases
    )


def with_command(key: str, log: Path, cases: Path) -> Answer:
    """``manage.py verify_log --export``, which has the installation's own key."""
    assert key == signing.verifier_key()
    try:
        return Answer(True, f"verified: {verify_export(Folder(log)).size}")
    except ExportInvalid as error:
        return Answer(False, str(error))


def with_one_file(key: str, log: Path, cases: Path) -> Answer:
    """``tools/verify_access_log.py``: an export, then each inclusion proof as a receipt."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        fits = verify_access_log.main(["export", str(log), "--key", key]) == 0
        if fits and (entries := json.loads(cases.read_text())["Receipt"]):
            receipt = cases.with_suffix(".receipt.json")
            receipt.write_text(json.dumps({"format": "consentry-receipt/1", "entries": entries}))
            fits = verify_access_log.main(["receipt", str(receipt), "--key", key]) == 0
    return Answer(fits, said.getvalue().strip().splitlines()[-1])
