"""Keys: from the environment, or one for each purpose in a file that is the user's alone.

Never from an argument: every user of a machine can read the arguments of every process.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from consentry_client.clients import Client
from consentry_client.command_line.outcomes import NO_KEY, Stop
from consentry_client.command_line.private_files import read_private
from consentry_client.whole_files import replacing

FILE = "keys.json"


@dataclass(frozen=True)
class Credentials:
    """A server, a key of it, and the one purpose that the key opens (empty when nobody asked yet)."""

    url: str
    key: str = field(repr=False)
    purpose: str = ""


def config_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where keys lie: CONSENTRY_CONFIG, or ``consentry`` in the user's folder of settings."""
    if given := environment.get("CONSENTRY_CONFIG"):
        return Path(given)
    home = environment.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "consentry"


def stored(folder: Path) -> list[Credentials]:
    """The keys that ``login`` has kept."""
    path = folder / FILE
    if not path.exists():
        return []
    try:
        listed = json.loads(read_private(path))
        return [Credentials(each["url"], each["key"], purpose) for purpose, each in listed.items()]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Stop(f"{path} is damaged. Remove it and log in again.", NO_KEY) from None


def keep(folder: Path, kept: list[Credentials]) -> None:
    """Write the keys down, one for each purpose."""
    rows = {each.purpose: {"url": each.url, "key": each.key} for each in kept}
    with replacing(folder / FILE) as file:
        file.write(json.dumps(rows, indent=1).encode() + b"\n")


def from_environment(environment: Mapping[str, str] = os.environ) -> Credentials | None:
    """CONSENTRY_URL and CONSENTRY_KEY; None without either, Stop with only one."""
    url, key = environment.get("CONSENTRY_URL", ""), environment.get("CONSENTRY_KEY", "")
    if bool(url) != bool(key):
        raise Stop("Set CONSENTRY_URL and CONSENTRY_KEY, or neither.", NO_KEY)
    return Credentials(url, key) if key else None


def all_keys(environment: Mapping[str, str] = os.environ) -> list[Credentials]:
    """The key of the environment alone, or else all that are kept; raises Stop when there is none."""
    given = from_environment(environment)
    found = [given] if given else stored(config_folder(environment))
    if not found:
        raise Stop("There is no key. Begin with: consentry login", NO_KEY)
    return found


def choose(found: list[Credentials], purpose: str) -> Credentials:
    """The key of a purpose, by the first characters of its id; raises Stop unless there is one."""
    fits = [each for each in found if not each.purpose or each.purpose.startswith(purpose.lower())]
    if len(fits) == 1:
        return fits[0]
    if not fits:
        raise Stop("None of the keys is for this purpose. See: consentry purposes", NO_KEY)
    raise Stop("Say which purpose: --purpose ID. See: consentry purposes")


@contextmanager
def open_client(purpose: str) -> Iterator[tuple[Client, str]]:
    """A client with the key of a purpose, and that purpose's id."""
    chosen = choose(all_keys(), purpose)
    with Client(chosen.url, chosen.key) as client:
        # A key of the environment comes without its purpose; --purpose proves nothing about it.
        known = chosen.purpose or str(client.me().purpose)
        if not known.startswith(purpose.lower()):
            raise Stop("The key in CONSENTRY_KEY is for another purpose.", NO_KEY)
        yield client, known
