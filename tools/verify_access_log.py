#!/usr/bin/env python3
"""Verify a receipt from a Consentry access log, or a whole exported log, without trusting its operator.

    python verify_access_log.py receipt FILE --key 'ORIGIN+HASH+KEY'
    python verify_access_log.py export FOLDER --key 'ORIGIN+HASH+KEY'

This one file needs Python 3.11 or newer and the package ``cryptography``, nothing else. It checks
that each entry in the receipt is in the log whose key you give, and prints what the entries say; of a
folder that ``export_log`` wrote, it computes every hash and the root anew from the entries. The last
line is ``verified: ...`` (exit status 0) or ``NOT VERIFIED: ...`` (exit status 1).

Take the key from a place that you trust: a paper, a colleague, an earlier receipt. A key that comes
with the receipt proves nothing. Without a witness the log's operator could still show you one log and
somebody else another; two receipts can be compared by their checkpoints.

Formats: C2SP tlog-proof, tlog-tiles, tlog-checkpoint and signed-note (c2sp.org), RFC 6962 and RFC 9162.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

RECEIPT = "consentry-receipt/1"
BUNDLE = 256  # entries
PROOF = "c2sp.org/tlog-proof@v1"
NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
# fmt: off
KEYS = frozenset({
    "v", "id", "time", "actor", "action", "outcome", "reason", "purpose", "consent", "subject",
    "object", "policy", "permit", "detail",
})
# fmt: on
ACTORS = {
    "operator": "operator {}",
    "client": "API client {}",
    "system": "the system ({})",
    "subject": "a data subject, known here as {}",
    "anonymous": "somebody who was not signed in",
}
OUTCOMES = {"ok": "done", "refused": "refused", "failed": "failed"}


class NotVerified(Exception):
    """Why the receipt is not verified, in words."""


@dataclass(frozen=True)
class Key:
    """The log's public key and the name it signs under."""

    name: str
    key_id: bytes
    public: Ed25519PublicKey


@dataclass(frozen=True)
class Proven:
    """An entry that was found in the log."""

    fields: dict[str, Any]
    index: int
    size: int
    root: bytes


def decode(text: str, what: str) -> bytes:
    """Standard base64 in its one canonical spelling."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NotVerified(f"{what} is not base64") from None
    if base64.b64encode(data).decode() != text:
        raise NotVerified(f"{what} is not canonical base64")
    return data


def read_key(text: str) -> Key:
    """A verifier key: name+hash+base64(0x01 || Ed25519 public key)."""
    name, _, rest = text.strip().partition("+")
    key_hash, _, encoded = rest.partition("+")
    data = decode(encoded, "the key")
    if not name or not name.isprintable() or len(data) != 33 or data[0] != 1:
        raise NotVerified("the key must look like ORIGIN+HASH+KEY and hold an Ed25519 key")
    key_id = sha256(name.encode() + b"\n" + data).digest()[:4]
    if key_id.hex() != key_hash:
        raise NotVerified("the key does not fit its own hash: it was copied wrongly")
    return Key(name, key_id, Ed25519PublicKey.from_public_bytes(data[1:]))


def read_checkpoint(note: str, key: Key) -> tuple[int, bytes]:
    """The tree size and root hash in a signed note, once this key's signature has been verified."""
    text, separator, block = note.rpartition("\n\n")
    text += "\n"
    if not separator or not block.endswith("\n"):
        raise NotVerified("the checkpoint is not a signed note")
    prefix, found = f"— {key.name} ", False
    for line in block.splitlines():
        if not line.startswith("— "):
            raise NotVerified("the checkpoint has a line where only signatures belong")
        if not line.startswith(prefix):
            continue
        signature = decode(line.removeprefix(prefix), "a signature")
        if signature[:4] != key.key_id:
            continue
        try:
            key.public.verify(signature[4:], text.encode())
        except InvalidSignature:
            raise NotVerified("the log's signature under the checkpoint is wrong") from None
        found = True
    if not found:
        raise NotVerified(f"the checkpoint is not signed by the key you gave ({key.name})")
    lines = text.split("\n")
    if len(lines) < 4 or lines[0] != key.name or NUMBER.fullmatch(lines[1]) is None:
        raise NotVerified("the checkpoint is malformed or of another log")
    return int(lines[1]), read_hash(lines[2])


def read_hash(text: str) -> bytes:
    """One SHA-256 hash in base64."""
    value = decode(text, "a hash")
    if len(value) != 32:
        raise NotVerified(f"a hash has 32 bytes; got {len(value)}")
    return value


def read_proof(proof: str, key: Key) -> tuple[int, list[bytes], int, bytes]:
    """A tlog-proof: (index, inclusion hashes, tree size, root hash)."""
    if any(not (char.isprintable() or char == "\n") for char in proof):
        raise NotVerified("the proof has characters that no proof has")
    head, separator, note = proof.partition("\n\n")
    lines = head.split("\n")
    if not separator or lines.pop(0) != PROOF:
        raise NotVerified(f"the proof does not start with {PROOF}")
    if lines and lines[0].startswith("extra "):
        lines.pop(0)
    label, _, index = lines.pop(0).partition(" ") if lines else ("", "", "")
    if label != "index" or NUMBER.fullmatch(index) is None:
        raise NotVerified("the proof names no index")
    hashes = [read_hash(line) for line in lines]
    return int(index), hashes, *read_checkpoint(note, key)


def climb(body: bytes, index: int, size: int, hashes: Sequence[bytes]) -> bytes:
    """The root hash that the entry and its inclusion proof lead to (RFC 9162, 2.1.3.2)."""
    if index >= size:
        raise NotVerified(f"the entry's place is {index}, but the log has {size} entries")
    found, at, last = sha256(b"\x00" + body).digest(), index, size - 1
    for value in hashes:
        if last == 0:
            raise NotVerified("the inclusion proof is too long")
        if at % 2 or at == last:
            found = sha256(b"\x01" + value + found).digest()
            while at and not at % 2:
                at, last = at // 2, last // 2
        else:
            found = sha256(b"\x01" + found + value).digest()
        at, last = at // 2, last // 2
    if last:
        raise NotVerified("the inclusion proof is too short")
    return found


def read_entry(body: bytes) -> dict[str, Any]:
    """The fields of an entry's canonical bytes."""
    try:
        fields = json.loads(body)
        text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        again = text.encode()
    except (ValueError, RecursionError):
        raise NotVerified("an entry is not JSON") from None
    if again != body or not isinstance(fields, dict) or set(fields) != KEYS:
        raise NotVerified("an entry does not have the form of version 1")
    return fields


def verify_entry(item: Any, key: Key) -> Proven:
    """One element of the receipt's list."""
    if not isinstance(item, dict) or not all(
        isinstance(item.get(name), str) for name in ("entry", "proof")
    ):
        raise NotVerified("each element of the receipt has an entry and a proof")
    body = decode(item["entry"], "an entry")
    index, hashes, size, root = read_proof(item["proof"], key)
    if climb(body, index, size, hashes) != root:
        raise NotVerified(
            f"the entry at place {index} is not in the signed tree: it or its proof was changed"
        )
    return Proven(read_entry(body), index, size, root)


def verify_receipt(document: Any, key: Key) -> list[Proven]:
    """Every entry of the receipt, proven; or NotVerified."""
    if not isinstance(document, dict) or document.get("format") != RECEIPT:
        raise NotVerified(f"the file is not a receipt of the format {RECEIPT}")
    entries = document.get("entries")
    if not isinstance(entries, list) or not entries:
        raise NotVerified("the receipt holds no entry, so it proves nothing")
    proven = [verify_entry(item, key) for item in entries]
    roots: dict[int, bytes] = {}
    for entry in proven:
        if roots.setdefault(entry.size, entry.root) != entry.root:
            raise NotVerified(
                f"the log signed two different trees of {entry.size} entries; keep this file, it is "
                "evidence against the log"
            )
    return proven


def plain(value: Any) -> str:
    """Text that cannot play tricks on a terminal."""
    return "".join(char if char.isprintable() else "?" for char in str(value))


def describe(entry: Proven) -> list[str]:
    """What an entry says, in words."""
    fields = entry.fields
    kind, _, name = plain(fields["actor"]).partition(":")
    facts = [
        ("place", f"{entry.index} in a log of {entry.size} entries"),
        ("time", plain(fields["time"])),
        ("who", ACTORS.get(kind, "{}").format(name or kind)),
        ("what", plain(fields["action"])),
        ("outcome", OUTCOMES.get(str(fields["outcome"]), plain(fields["outcome"]))),
        ("reason", plain(fields["reason"] or "")),
        ("purpose", plain(fields["purpose"] or "")),
        ("notice", plain(fields["policy"])),
        ("about (tag)", plain(fields["subject"])),
        ("object (tag)", plain(fields["object"])),
        ("consent (tag)", plain(fields["consent"])),
        ("entry id", plain(fields["id"])),
    ]
    return [f"  {label + ':':<15}{value}" for label, value in facts if value]


def receipt(path: Path, key_text: str) -> str:
    """Print what a receipt proves; returns the verdict's words or raises NotVerified."""
    key = read_key(key_text)
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise NotVerified(f"the file cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise NotVerified("the file is not JSON") from None
    proven = verify_receipt(document, key)
    for number, entry in enumerate(proven, start=1):
        print(f"Entry {number} of {len(proven)}", *describe(entry), "", sep="\n")
    others = sorted(set(document) - {"format", "entries", "verifier_key"})
    if others:
        print(f"Not covered by the proof, only stated: {plain(', '.join(others))}.\n")
    words = "entry is" if len(proven) == 1 else "entries are"
    return f"{len(proven)} {words} in the log {key.name}, under a checkpoint signed by its key"


def tile_path(folder: Path, level: str, number: int, width: int) -> Path:
    """Where entries or hashes from ``number`` times 256 on lie: tlog-tiles, three digits in each part."""
    digits = str(number)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    parts = [digits[i : i + 3] for i in range(0, len(digits), 3)]
    parts = [f"x{part}" for part in parts[:-1]] + parts[-1:]
    if width < BUNDLE:
        parts[-1] += ".p"
        parts.append(str(width))
    return folder.joinpath("tile", level, *parts)


def bundled(folder: Path, size: int) -> Iterator[bytes]:
    """The entries of an exported log, in order."""
    for number in range(-(-size // BUNDLE)):
        width = min(BUNDLE, size - number * BUNDLE)
        path = tile_path(folder, "entries", number, width)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise NotVerified(f"{path} cannot be read ({type(error).__name__})") from None
        at = found = 0
        while at + 2 <= len(data):
            end = at + 2 + int.from_bytes(data[at : at + 2], "big")
            if end > len(data):
                break
            yield data[at + 2 : end]
            at, found = end, found + 1
        if at != len(data) or found != width:
            raise NotVerified(f"{path} does not hold {width} whole entries")


class HashTiles:
    """Compares every hash tile of an exported log with the hashes that its entries make."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder, self.size = folder, size
        self.held: dict[int, list[bytes]] = {}

    def add(self, level: int, index: int, value: bytes) -> None:
        """The next hash of a level; each eighth level of the tree is a level of tiles."""
        if level % 8:
            return
        held = self.held.setdefault(level, [])
        held.append(value)
        if len(held) == BUNDLE or index + 1 == self.size >> level:
            path = tile_path(self.folder, str(level // 8), index // BUNDLE, len(held))
            try:
                found = path.read_bytes()
            except OSError as error:
                raise NotVerified(f"{path} cannot be read ({type(error).__name__})") from None
            if found != b"".join(held):
                raise NotVerified(f"{path} has other hashes than the entries make")
            held.clear()


def verify_export(folder: Path, key: Key) -> int:
    """The number of entries of an exported log, which make all its hash tiles and the signed root."""
    try:
        note = (folder / "checkpoint").read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise NotVerified(f"the checkpoint cannot be read ({type(error).__name__})") from None
    size, root = read_checkpoint(note, key)
    edge: list[bytes] = []  # complete subtrees, from left to right
    tiles = HashTiles(folder, size)
    for index, body in enumerate(bundled(folder, size)):
        try:
            read_entry(body)
        except NotVerified as error:
            raise NotVerified(f"entry {index}: {error}") from None
        made = sha256(b"\x00" + body).digest()
        level, rest = 0, index
        tiles.add(level, rest, made)
        while rest & 1:
            made = sha256(b"\x01" + edge.pop() + made).digest()
            level, rest = level + 1, rest >> 1
            tiles.add(level, rest, made)
        edge.append(made)
    computed = edge.pop() if edge else sha256(b"").digest()
    while edge:
        computed = sha256(b"\x01" + edge.pop() + computed).digest()
    if computed != root:
        raise NotVerified(f"the {size} entries make another root than the one that was signed")
    return size


def export(folder: Path, key_text: str) -> str:
    """Verify an exported folder; what to print after ``verified:``."""
    key = read_key(key_text)
    size = verify_export(folder, key)
    return f"all {size} entries are the log {plain(key.name)}, under a checkpoint signed by its key"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Verify what a Consentry access log says.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, what, run in (
        ("receipt", "a receipt (JSON)", receipt),
        ("export", "a folder that export_log wrote", export),
    ):
        command = commands.add_parser(name, help=f"verify {what}")
        command.add_argument("file", type=Path, help=what)
        command.add_argument("--key", required=True, help="the log's verifier key: ORIGIN+HASH+KEY")
        command.set_defaults(run=run)
    given = parser.parse_args(arguments)
    try:
        print("verified:", given.run(given.file, given.key))
    except NotVerified as error:
        print("NOT VERIFIED:", plain(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
