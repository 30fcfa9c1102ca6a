"""Makes ``.venv`` from the lock files: ``python3 -m tools.setup [--dev]``.

Standard library only. Nothing is installed without its hash. Package indexes are the ones that the
user's pip is configured with; none is named here.
"""

from __future__ import annotations

import argparse
import ast
import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tools import OLDEST

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "consentry-lock"  # the name and hash of the lock that was installed last
BOOTSTRAP = ROOT / "tools" / "bootstrap.lock"
LOCKS = {"runtime": ROOT / "requirements.lock", "dev": ROOT / "requirements-dev.lock"}


class SetUpFailed(Exception):
    """The set-up cannot go on; the message is one line that says what to do."""


def require_venv() -> None:
    """Raise SetUpFailed when this Python cannot make virtual environments (Debian splits them off)."""
    try:
        import ensurepip  # noqa: F401  only its presence matters
        import venv  # noqa: F401  the same
    except ImportError:
        raise SetUpFailed(
            "Python's venv is missing. Install it: apt install python3-venv make git"
        ) from None


def require_writable(folder: Path) -> None:
    """Raise SetUpFailed when nothing can be written to a folder."""
    if not os.access(folder, os.W_OK | os.X_OK):
        raise SetUpFailed(f"No permission to write to {folder}. Use a copy that belongs to you.")


@contextmanager
def alone() -> Iterator[None]:
    """Wait until no other set-up works in this folder; the lock ends with the process."""
    descriptor = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def fingerprint(lock: Path) -> str:
    """The name and SHA-256 of a lock file together with the bootstrap lock."""
    digest = hashlib.sha256(BOOTSTRAP.read_bytes() + lock.read_bytes())
    return f"{lock.name} {digest.hexdigest()}"


def installed() -> str:
    """What the stamp says, or nothing."""
    try:
        return STAMP.read_text()
    except OSError:
        return ""


def usable() -> bool:
    """Whether the environment's Python starts, is new enough and has pip."""
    question = f"import sys, pip; sys.exit(sys.version_info < {OLDEST})"
    try:
        return subprocess.run([PYTHON, "-c", question], capture_output=True).returncode == 0
    except OSError:
        return False


def call(*command: str | Path, environment: dict[str, str] | None = None) -> None:
    """Run a program; its output is shown only when it fails, and then SetUpFailed is raised."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    if done.returncode:
        raise SetUpFailed(f"{done.stdout.rstrip()}\nThis failed: {' '.join(map(str, command))}")


def pip_configuration() -> dict[str, str]:
    """The settings of pip by option name ("index-url"); the environment wins over files."""
    listed = subprocess.run(
        [PYTHON, "-m", "pip", "config", "list"], capture_output=True, text=True
    ).stdout
    options: dict[str, str] = {}
    from_files: dict[str, str] = {}
    for line in listed.splitlines():
        key, found, value = line.partition("=")
        if not found:
            continue
        section, _, option = key.rpartition(".")
        chosen = options if section == ":env:" else from_files
        chosen[option] = str(ast.literal_eval(value))
    return {**from_files, **options}


def uv_environment(*, partial: bool = True) -> dict[str, str]:
    """The environment for uv: the user's package indexes, which uv does not read from pip's files.

    Variables of uv's own that are set already are left as they are. Without ``partial``, places that
    may hold only some of a release's files (extra indexes, folders of wheels) are left out.
    """
    environment = dict(os.environ)
    options = pip_configuration()
    if not partial:
        options = {k: v for k, v in options.items() if k not in {"extra-index-url", "find-links"}}
    translations: dict[str, tuple[str, Callable[[str], str]]] = {
        "index-url": ("UV_DEFAULT_INDEX", str),
        "extra-index-url": ("UV_INDEX", lambda value: " ".join(value.split())),
        "find-links": ("UV_FIND_LINKS", lambda value: ",".join(value.split())),
        "no-index": ("UV_NO_INDEX", str),
        "trusted-host": ("UV_INSECURE_HOST", lambda value: " ".join(value.split())),
        "cert": ("SSL_CERT_FILE", str),
        "default-timeout": ("UV_HTTP_TIMEOUT", str),
    }
    for option, (name, translate) in translations.items():
        if options.get(option):
            environment.setdefault(name, translate(options[option]))
    if options.get("extra-index-url"):
        # pip treats all indexes alike; the hashes say which files are right.
        environment.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    return environment


def make_environment() -> None:
    """Make ``.venv`` with uv in it, both from what this Python ships and the bootstrap lock."""
    require_venv()
    call(sys.executable, "-m", "venv", "--clear", VENV)
    call(PYTHON, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", BOOTSTRAP)


def install(kind: str) -> None:
    """Bring ``.venv`` to a lock, "runtime" or "dev".

    A developer's environment holds the runtime's packages in the same versions, so asking for
    "runtime" never takes anything out of it.
    """
    if kind == "runtime" and installed().startswith(LOCKS["dev"].name):
        kind = "dev"
    wanted = fingerprint(LOCKS[kind])
    fit = usable()
    if fit and installed() == wanted:
        return
    require_writable(ROOT)
    say("making .venv" if not fit else "bringing .venv to the lock")
    if not fit:
        make_environment()
    STAMP.unlink(missing_ok=True)
    uv = VENV / "bin" / "uv"
    if not uv.exists():
        call(PYTHON, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", BOOTSTRAP)
    # Compiled once here: a child process of a test or a worker starts in a third of the time.
    sync = ("pip", "sync", "--quiet", "--require-hashes", "--compile-bytecode", "--python", PYTHON)
    call(uv, *sync, LOCKS[kind], BOOTSTRAP, environment=uv_environment())
    STAMP.write_text(wanted)


def say(line: str) -> None:
    """A line of progress."""
    print(f"set-up: {line}", flush=True)


def main(arguments: list[str]) -> int:
    """Check the machine, then make or refresh the environment; returns the exit status."""
    parser = argparse.ArgumentParser(description="Make .venv from the lock files.")
    parser.add_argument("--dev", action="store_true", help="with the tools for tests and checks")
    chosen = parser.parse_args(arguments)
    try:
        with alone():
            install("dev" if chosen.dev else "runtime")
    except SetUpFailed as error:
        print(f"set-up: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
