"""``make check``: everything that is looked at without running tests. ``python -m tools.check``.

Each step runs even when another failed, so that one look shows everything.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tools.setup import BOOTSTRAP, LOCKS, PYTHON, ROOT, VENV

PACKAGES = ("config", "emotion", "consent", "accounts", "vault", "audit_log", "tools")
VENDOR = ROOT / "static" / "vendor"
DATABASES = ("--database", "default", "--database", "keystore")


def environment(folder: Path) -> dict[str, str]:
    """A deployment that is as it should be, in a temporary folder."""
    ours = ("CONSENTRY_", "DATABASE_", "KEYSTORE_", "CELERY_", "CACHE_", "SECRET_KEY")
    given = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    return given | {
        "CONSENTRY_VAR": str(folder / "var"),
        "CONSENTRY_KEYS": str(folder / "keys"),
        "SECRET_KEY": secrets.token_urlsafe(48),
        "SITE_URL": "https://consentry.example.org",
        "ALLOWED_HOSTS": "consentry.example.org",
    }


def commands() -> dict[str, list[str]]:
    """The programs of each step. The set-up comes before what looks at its result."""
    binaries, manage = VENV / "bin", [str(PYTHON), "manage.py"]
    return {
        "lint": [f"{binaries}/ruff", "check", "."],
        "format": [f"{binaries}/ruff", "format", "--check", "."],
        "types": [f"{binaries}/mypy", *PACKAGES],
        "client's types": [f"{binaries}/mypy", "--config-file", "clients/python/pyproject.toml"],
        "imports": [f"{binaries}/lint-imports"],
        "set-up": [*manage, "setup"],
        "migrations": [*manage, "makemigrations", "--check", "--dry-run"],
        "deployment": [*manage, "check", "--deploy", "--fail-level", "WARNING", *DATABASES],
    }


def no_addresses() -> list[str]:
    """Lock files name packages and hashes, never the host that they were taken from."""
    return [
        f"{path.name}:{number}: {line.strip()}"
        for path in (*LOCKS.values(), BOOTSTRAP)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if "://" in line
    ]


def vendored_files() -> list[str]:
    """Every file from elsewhere is listed with its SHA-256, and is the one that was listed."""
    sums = VENDOR / "SHA256SUMS"
    lines = (line.split(maxsplit=1) for line in sums.read_text().splitlines())
    listed = {name: digest for digest, name in lines}
    there = {
        str(path.relative_to(VENDOR)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.rglob("*")
        if path.is_file() and path.parent != VENDOR
    }
    return [
        f"static/vendor/{name}: listed {listed.get(name)}, found {there.get(name)}"
        for name in sorted(listed.keys() | there.keys())
        if listed.get(name) != there.get(name)
    ]


def mutants() -> list[str]:
    """Every mutant still finds its lines. Whether its tests notice it takes longer: ``make mutants``."""
    apply = ["/usr/bin/env", "git", "apply", "--check", "--recount"]
    return [
        f"tests/mutants/{patch.name} does not apply"
        for patch in sorted((ROOT / "tests" / "mutants").glob("*.patch"))
        if subprocess.run([*apply, str(patch)], cwd=ROOT, stderr=subprocess.DEVNULL).returncode
    ]


CHECKS: dict[str, Callable[[], list[str]]] = {
    "lock files": no_addresses,
    "vendored files": vendored_files,
    "mutants apply": mutants,
}


def run(command: list[str], given: Mapping[str, str]) -> str:
    """Run one program; returns what it printed if it failed, and nothing if it passed."""
    done = subprocess.run(
        command, cwd=ROOT, env=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return (done.stdout or f"exit status {done.returncode}") if done.returncode else ""


def main() -> int:
    """Run every step and print one line for each; returns 1 when any failed."""
    failed: list[str] = []

    def report(name: str, started: float, problem: str) -> None:
        state = "FAILED" if problem else "ok"
        print(f"{name:<16} {state:<7} {time.monotonic() - started:5.1f} s", flush=True)
        if problem:
            print(problem.rstrip(), flush=True)
            failed.append(name)

    with tempfile.TemporaryDirectory(prefix="consentry-check-") as folder:
        given = environment(Path(folder))
        for name, command in commands().items():
            started = time.monotonic()
            report(name, started, run(command, given))
        for name, check in CHECKS.items():
            started = time.monotonic()
            report(name, started, "\n".join(check()))
    print(f"check: {', '.join(failed)} failed" if failed else "check: ok")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
