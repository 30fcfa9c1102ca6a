"""Reading the environment: every value is checked where it is read, and a bad one stops the start.

``NAME_FILE`` is accepted for every secret, so that a secret never has to be in the environment.
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

TRUE, FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off", ""}


def text(name: str, default: str = "") -> str:
    """The variable as it stands, or the default when it is not set."""
    return os.environ.get(name, default)


def flag(name: str, default: bool) -> bool:
    """A yes/no variable; anything else is an error rather than a silent False."""
    raw = os.environ.get(name)
    if raw is None:
        return default
    if raw.strip().lower() in TRUE:
        return True
    if raw.strip().lower() in FALSE:
        return False
    raise ImproperlyConfigured(f"{name} must be one of 1, 0, true, false, yes, no; got {raw!r}")


def number(name: str, default: int, *, least: int = 0) -> int:
    """A whole number that is at least ``least``."""
    raw = os.environ.get(name)
    if raw is None:
        return default
    try:
        value = int(raw)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number; got {raw!r}") from None
    if value < least:
        raise ImproperlyConfigured(f"{name} must be at least {least}; got {value}")
    return value


def words(name: str, default: list[str]) -> list[str]:
    """A comma-separated list."""
    raw = os.environ.get(name)
    return default if raw is None else [part.strip() for part in raw.split(",") if part.strip()]


def secret(name: str, file: Path) -> str:
    """A secret from ``NAME``, from the file that ``NAME_FILE`` names, or from the default file.

    ``manage.py setup``, and nothing else, makes the default file when it is missing. Raises
    ImproperlyConfigured when none of them exists, or when the file can be read by others.
    """
    raw = os.environ.get(name)
    if raw:
        return raw
    path = Path(os.environ.get(f"{name}_FILE") or file)
    if path == file and not path.exists() and sys.argv[1:2] == ["setup"]:
        create_secret(path)
    try:
        mode = path.stat().st_mode & 0o777
    except FileNotFoundError:
        raise ImproperlyConfigured(
            f"{name} is not set and {path} does not exist: run `make run` or `manage.py setup`"
        ) from None
    if mode & 0o077:
        raise ImproperlyConfigured(f"{path} has mode {mode:04o}; expected 0600 (chmod 600 {path})")
    return path.read_text().strip()


def create_secret(path: Path) -> None:
    """Write a new random secret with mode 0600 in a folder with mode 0700; never over a file."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(48) + "\n")
