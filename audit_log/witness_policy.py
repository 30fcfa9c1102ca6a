"""Which witnesses a checkpoint needs: the policy file of C2SP ``tlog-policy``. Pure.

Source: https://c2sp.org/tlog-policy. Lines ``log KEY [URL]``, ``witness NAME KEY [URL]``,
``group NAME all|any|K MEMBER...`` and one ``quorum NAME``; ``none`` needs nobody.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from audit_log.checkpoint import InvalidNote
from audit_log.cosignature import WitnessKey

NONE = "none"
ALLOWED = {9, 10, *range(0x20, 0x7F), *range(0x80, 0x100)}


class InvalidPolicy(Exception):
    """A policy file cannot be read; the message names the line."""


@dataclass(frozen=True)
class Group:
    """So many of its members, witnesses or groups, must have cosigned."""

    needed: int
    members: tuple[str, ...]


@dataclass
class Policy:
    """A policy file, read.

    Fields:
        witnesses: their keys, by their names in the file.
        urls: the submission prefix of those that can be asked, by the same names.
        groups, quorum: who must have cosigned.
    """

    witnesses: dict[str, WitnessKey] = field(default_factory=dict)
    urls: dict[str, str] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    quorum: str = NONE

    def is_met(self, cosigned: Collection[WitnessKey]) -> bool:
        """Whether enough witnesses are among those who cosigned."""
        return self.quorum == NONE or self.has(self.quorum, cosigned)

    def has(self, name: str, cosigned: Collection[WitnessKey]) -> bool:
        """Whether one witness or group counts as having cosigned."""
        if name in self.witnesses:
            return self.witnesses[name] in cosigned
        group = self.groups[name]
        return sum(self.has(member, cosigned) for member in group.members) >= group.needed


def read_policy(data: bytes) -> Policy:
    """Read a policy file. Raises InvalidPolicy."""
    reader = Reader()
    for number, line in enumerate(data.split(b"\n"), 1):
        try:
            reader.read(line)
        except (InvalidPolicy, InvalidNote) as error:
            raise InvalidPolicy(f"line {number}: {error}") from None
    if not reader.has_quorum:
        raise InvalidPolicy("there is no line 'quorum NAME'")
    return reader.policy


def require_address(url: str) -> str:
    """A submission prefix without its last slash. Raises InvalidPolicy for what cannot be asked."""
    try:
        parts = urlsplit(url)
        right = parts.scheme in {"https", "http"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port or a host that is none
        right = False
    if not right or not url.isascii():
        raise InvalidPolicy(f"expected https://HOST/PATH; got {url}")
    return url.rstrip("/")


class Reader:
    """Reads one line after another: a name must stand before it is used, and is used once."""

    def __init__(self) -> None:
        self.policy = Policy()
        self.free: set[str] = set()
        self.has_quorum = False

    def read(self, line: bytes) -> None:
        """Take in one line. Raises InvalidPolicy or InvalidNote."""
        if not ALLOWED.issuperset(line):
            raise InvalidPolicy("it has characters that no policy has")
        # Names are compared as bytes, which Latin-1 keeps one by one.
        text = line.decode("latin-1").replace("\t", " ")
        words = [word for word in text.split(" ") if word]
        if not words or words[0].startswith("#"):
            return
        match words:
            case ["log", _key] | ["log", _key, _]:
                return  # this installation knows its own key; other readers look for it here
            case ["witness", name, key, *url] if len(url) <= 1:
                self.add_witness(name, WitnessKey.parse(key), "".join(url))
            case ["group", name, needed, *members] if members:
                self.add_group(name, needed, tuple(members))
            case ["quorum", name] if not self.has_quorum:
                if name != NONE:
                    self.require_known(name)
                self.policy.quorum, self.has_quorum = name, True
            case _:
                raise InvalidPolicy(
                    "expected 'log KEY [URL]', 'witness NAME KEY [URL]', "
                    "'group NAME all|any|K MEMBER...' or one 'quorum NAME'"
                )

    def add_witness(self, name: str, key: WitnessKey, url: str) -> None:
        """A witness with a new name and a key that no other has."""
        self.require_new(name)
        if key.public in {each.public for each in self.policy.witnesses.values()}:
            raise InvalidPolicy(f"the key of {name} stands there already")
        self.policy.witnesses[name] = key
        self.free.add(name)
        if url:
            self.policy.urls[name] = require_address(url)

    def add_group(self, name: str, needed: str, members: tuple[str, ...]) -> None:
        """A group of names that stand before it and are in no other group."""
        self.require_new(name)
        for member in members:
            self.require_known(member)
            if member not in self.free:
                raise InvalidPolicy(f"{member} is in a group already")
            self.free.remove(member)
        words = {"any": 1, "all": len(members)}
        count = words.get(needed) or (int(needed) if needed.isdecimal() else 0)
        if not 1 <= count <= len(members):
            raise InvalidPolicy(f"expected all, any or 1 to {len(members)}; got {needed}")
        self.policy.groups[name] = Group(count, members)
        self.free.add(name)

    def require_new(self, name: str) -> None:
        """Raise InvalidPolicy for a name that is taken, or that means something else."""
        if name == NONE or name in self.policy.witnesses or name in self.policy.groups:
            raise InvalidPolicy(f"the name {name} is taken")

    def require_known(self, name: str) -> None:
        """Raise InvalidPolicy for a name that does not stand on a line before."""
        if name not in self.policy.witnesses and name not in self.policy.groups:
            raise InvalidPolicy(f"there is no {name} before this line")
