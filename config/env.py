"""Reading the environment: every value is checked where it is read, and a bad one stops the start.

``NAME_FILE`` is accepted for every secret, so that a secret never has to be in the environment.
"""

from __future__ import annotations

import os
import re
import secrets
import sys
from collections.abc import Iterable
from email.utils import getaddresses
from pathlib import Path
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core.exceptions import ImproperlyConfigured

SECRET_AT_LEAST = 32  # characters
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
        return long_enough(raw, name)
    path = Path(os.environ.get(f"{name}_FILE") or file)
    if path == file and not path.exists() and sys.argv[1:2] == ["setup"]:
        try:
            create_secret(path)
        except OSError as error:
            raise ImproperlyConfigured(f"{path} cannot be made: {error.strerror}") from None
    try:
        mode = path.stat().st_mode & 0o777
    except FileNotFoundError:
        raise ImproperlyConfigured(
            f"{name} is not set and {path} does not exist: run `make run` or `manage.py setup`"
        ) from None
    except OSError as error:
        raise ImproperlyConfigured(f"{path} cannot be read: {error.strerror}") from None
    if mode & 0o077:
        raise ImproperlyConfigured(f"{path} has mode {mode:04o}; expected 0600 (chmod 600 {path})")
    try:
        return long_enough(path.read_text().strip(), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(
            f"{path} cannot be read as a text: {type(error).__name__}"
        ) from None


def long_enough(value: str, where: str) -> str:
    """The secret, unless it is too short to be one."""
    if len(value) < SECRET_AT_LEAST:
        raise ImproperlyConfigured(
            f"{where} must have at least {SECRET_AT_LEAST} characters; got {len(value)}"
        )
    return value


def one_of(name: str, default: str, allowed: Iterable[str]) -> str:
    """One word of a closed list, in any case; the word as the list has it."""
    raw = text(name, default)
    for word in allowed:
        if raw.upper() == word.upper():
            return word
    raise ImproperlyConfigured(f"{name} must be one of {', '.join(allowed)}; got {raw!r}")


def matching(name: str, default: str, pattern: str, example: str) -> str:
    """A text of a form, given as a regular expression for the whole of it."""
    raw = text(name, default)
    if re.fullmatch(pattern, raw) is None:
        raise ImproperlyConfigured(f"{name} must look like {example}; got {raw!r}")
    return raw


def time_zone(name: str, default: str) -> str:
    """The name of a time zone that this machine knows."""
    raw = text(name, default)
    try:
        ZoneInfo(raw)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ImproperlyConfigured(
            f"{name} must be a time zone such as Europe/Berlin; got {raw!r}"
        ) from None
    return raw


def hosts(name: str, default: list[str]) -> list[str]:
    """Host names without scheme, port or path; ``.example.org`` stands for all below it."""
    found = words(name, default)
    for host in found:
        if not re.fullmatch(r"\*|\.?[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]", host):
            raise ImproperlyConfigured(
                f"{name} must be host names such as study.example.org, without scheme or port; "
                f"got {host!r}"
            )
    return found


def origins(name: str) -> list[str]:
    """Origins such as ``https://study.example.org``; none by default."""
    found = words(name, [])
    for origin in found:
        if not re.fullmatch(r"https?://[^/\s]+", origin):
            raise ImproperlyConfigured(
                f"{name} must be origins such as https://study.example.org; got {origin!r}"
            )
    return found


def address(name: str, default: str) -> str:
    """An http or https address of this installation, without path or trailing slash."""
    raw = text(name, default).rstrip("/")
    if not re.fullmatch(r"https?://[^/\s?#@]+", raw) or port_is_wrong(raw):
        raise ImproperlyConfigured(
            f"{name} must be an address such as https://study.example.org; got {raw!r}"
        )
    return raw


def key_server(name: str) -> str:
    """The mount of a Transit engine: https, or http on this machine only; empty when it is not set."""
    raw = text(name).rstrip("/")
    local = r"http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?"
    if raw and (
        not re.fullmatch(rf"(https://[^/\s?#@]+|{local})/[^\s?#]+", raw) or port_is_wrong(raw)
    ):
        raise ImproperlyConfigured(
            f"{name} must be the address of a mount such as https://bao.example.org:8200/transit; "
            f"got {raw!r}"
        )
    return raw


def mailbox(name: str, default: str) -> str:
    """One e-mail address, with or without a name before it."""
    raw = text(name, default)
    found = [address for _name, address in getaddresses([raw])]
    if len(found) != 1 or not re.fullmatch(r"[^@\s,<>]+@[^@\s,<>]+", found[0]) or "\n" in raw:
        raise ImproperlyConfigured(
            f"{name} must be one address such as study@example.org; got {raw!r}"
        )
    return raw


def url(name: str, default: str, schemes: Iterable[str]) -> str:
    """A URL with one of these schemes. What is said of a wrong one never shows a password."""
    raw = text(name) or default
    if not raw:
        return ""
    scheme = raw.partition("://")[0].lower() if "://" in raw else ""
    if scheme not in schemes:
        wanted = ", ".join(f"{each}://" for each in schemes)
        raise ImproperlyConfigured(
            f"{name} must begin with one of {wanted}; got {f'{scheme}://' if scheme else 'no scheme'}"
        )
    if port_is_wrong(raw):
        raise ImproperlyConfigured(f"{name} must have a port from 1 to 65535, or none")
    return raw


def port_is_wrong(raw: str) -> bool:
    """Whether a URL cannot be taken apart, or has a port that is none."""
    try:
        return urlsplit(raw).port == 0
    except ValueError:
        return True


def sqlite_name(file: str | Path) -> str:
    """What SQLite is given to open: the file if it is there. Only ``manage.py setup`` makes one.

    SQLite would otherwise put a new, empty database in the place of one that was moved or lost.
    """
    return f"file:{quote(str(file))}?mode=rw"


def create_secret(path: Path) -> None:
    """Write a new random secret with mode 0600 in a folder with mode 0700; never over a file."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(48) + "\n")
