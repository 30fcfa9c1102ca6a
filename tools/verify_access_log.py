#!/usr/bin/env python3
"""Verify a receipt from a Consentry access log, or a whole exported log, without trusting its operator.

    python verify_access_log.py receipt FILE --key 'ORIGIN+HASH+KEY'
    python verify_access_log.py export FOLDER --key 'ORIGIN+HASH+KEY'
    python verify_access_log.py promise FILE FOLDER --key 'ORIGIN+HASH+KEY'

This one file needs Python 3.11 or newer and the package ``cryptography``, nothing else. It checks
that each entry in the receipt is in the log whose key you give, and prints what the entries say; of a
folder that ``export_log`` wrote, it computes every hash and the root anew from the entries. The last
line is ``verified: ...`` (exit status 0) or ``NOT VERIFIED: ...`` (exit status 1).

Take the key from a place that you trust: a paper, a colleague, an earlier receipt. A key that comes
with the receipt proves nothing. After a log changed its key, a receipt may need the older one too: then say
with each key from which size of the log on it counts and until when it signed, as the log publishes it
(--key 'ORIGIN+HASH+KEY from=1 to=1203', as often as needed), or give the published file (--history FILE). A
checkpoint must be signed by the key that counts at its size, and wrongly by none: whoever has stolen a key
that was ended signs nothing beyond its end. An exported log brings the history of its keys and what proves
it, so that any one key from before the checkpoint is enough, the first as well as today's; only a log that
goes on under another name needs that one's key. Without a witness the log's operator could still show you
one log and somebody else another; two receipts can be compared by their checkpoints.

Formats: C2SP tlog-proof, tlog-tiles, tlog-checkpoint and signed-note (c2sp.org), RFC 6962 and RFC 9162.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import io
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

RECEIPT = "consentry-receipt/1"
BUNDLE = 256  # entries
LOG_KEY, WITNESS_KEY = 1, 4
KINDS = {LOG_KEY: "log's Ed25519 key", WITNESS_KEY: "witness's Ed25519 key"}
PROMISE, PROMISE_KEY = "consentry-promise/1", "consentry-promise-key/1"
PROOF = "c2sp.org/tlog-proof@v1"
HISTORY = "consentry-log-key"
RECORD = re.compile(
    r"(\S+) from=([0-9]{1,19}) since=\S+(?: until=\S+)?(?: to=([0-9]{1,19}))?(?: ended=\S+)?"
)
GIVEN = re.compile(r"(\S+)(?: from=([0-9]{1,19})(?: to=([0-9]{1,19}))?)?")
ROTATION, NEW_ORIGIN = "log:key-rotate", "log:new-origin"
DUE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
# fmt: off
KEYS = frozenset({
    "v", "id", "time", "actor", "action", "outcome", "reason", "purpose", "consent", "subject",
    "object", "policy", "permit", "detail",
})
# fmt: on
ACTORS = {
    "operator": "operator {}",
    "client": "API client {}",
    "auditor": "an auditor with the token {}",
    "system": "the system ({})",
    "subject": "a data subject, known here as {}",
    "anonymous": "somebody who was not signed in",
}
OUTCOMES = {"ok": "done", "refused": "refused", "failed": "failed"}


class NotVerified(Exception):
    """Why the receipt is not verified, in words."""


@dataclass(frozen=True)
class Key:
    """The log's public key and the name it signs under; the sizes that it may sign, where one knows."""

    name: str
    key_id: bytes
    public: Ed25519PublicKey
    start: int | None = None
    to: int | None = None


@dataclass(frozen=True)
class Given:
    """What the command line asks for: ``needed`` of the ``witnesses`` must have cosigned."""

    file: Path
    folder: Path
    keys: Sequence[Key]
    witnesses: Sequence[Key]
    needed: int

    @property
    def by(self) -> str:
        """Who else has signed, in words."""
        return f" and cosigned by {self.needed} or more witnesses" if self.needed else ""


@dataclass(frozen=True)
class Proven:
    """An entry that was found in the log."""

    fields: dict[str, Any]
    index: int
    origin: str
    size: int
    root: bytes
    note: str

    @property
    def place(self) -> str:
        """Where it is, in words."""
        return f"{self.index} in a log of {self.size} entries"


@dataclass(frozen=True)
class Promised:
    """An entry that the log has signed to take up until ``due`` (UTC, as entries have their time)."""

    fields: dict[str, Any]
    leaf: bytes
    due: str

    @property
    def place(self) -> str:
        """Where it is, in words."""
        return f"none yet; promised until {self.due}"


def decode(text: str, what: str) -> bytes:
    """Standard base64 in its one canonical spelling."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NotVerified(f"{what} is not base64") from None
    if base64.b64encode(data).decode() != text:
        raise NotVerified(f"{what} is not canonical base64")
    return data


def read_key(text: str, kind: int = LOG_KEY) -> Key:
    """A verifier key: name+hash+base64(kind || Ed25519 public key)."""
    name, _, rest = text.strip().partition("+")
    key_hash, _, encoded = rest.partition("+")
    data = decode(encoded, "the key")
    if not name or not name.isprintable() or len(data) != 33 or data[0] != kind:
        raise NotVerified(f"the key must look like NAME+HASH+KEY and hold a {KINDS[kind]}")
    key_id = sha256(name.encode() + b"\n" + data).digest()[:4]
    if key_id.hex() != key_hash:
        raise NotVerified("the key does not fit its own hash: it was copied wrongly")
    return Key(name, key_id, Ed25519PublicKey.from_public_bytes(data[1:]))


def read_given(text: str) -> Key:
    """A key of the command line, alone or with the sizes that it may sign."""
    found = GIVEN.fullmatch(text.strip())
    if found is None:
        raise NotVerified("a key must look like NAME+HASH+KEY or like 'NAME+HASH+KEY from=N to=M'")
    return timed(read_key(found[1]), found[2], found[3])


def timed(key: Key, start: str | None, to: str | None) -> Key:
    """The key with the sizes of the first and the last checkpoint that it may sign."""
    return replace(key, start=int(start) if start else None, to=int(to) if to else None)


def split_note(note: str) -> tuple[str, list[str]]:
    """A signed note's text and its signature lines."""
    text, separator, block = note.rpartition("\n\n")
    if not separator or not block.endswith("\n"):
        raise NotVerified("this is not a signed note")
    lines = block.splitlines()
    if any(not line.startswith("— ") for line in lines):
        raise NotVerified("the signed note has a line where only signatures belong")
    return f"{text}\n", lines


def signed_text(note: str, keys: Sequence[Key]) -> str:
    """The text of a signed note that one of the keys signed, and none wrongly."""
    text, block = split_note(note)
    # Every line is looked at: a wrong signature by one of the keys must not hide behind a right one.
    found = [key for line in block for key in keys if signed(text, line, key)]
    if not found:
        raise NotVerified(
            f"a checkpoint or promise is not signed by a key you gave ({names(keys)})"
        )
    return text


def read_checkpoint(note: str, keys: Sequence[Key]) -> tuple[str, int, bytes]:
    """The origin, size and root hash in a signed note; of the keys none signed it wrongly.

    It must be signed by the one that counts at its size.
    """
    origin = note.partition("\n")[0]
    mine = [key for key in keys if key.name == origin]
    if not mine:
        raise NotVerified(f"the checkpoint is not signed by a key you gave ({names(keys)})")
    lines = signed_text(note, mine).split("\n")
    if len(lines) < 4 or NUMBER.fullmatch(lines[1]) is None:
        raise NotVerified("the checkpoint is malformed")
    size = int(lines[1])
    counts = counting(size, mine)
    if not any(signature_in(line, counts) for line in split_note(note)[1]):
        raise NotVerified(
            f"the checkpoint of {size} entries is not signed by the key that counts, "
            f"{plain(counts.name)}+{counts.key_id.hex()}"
        )
    return lines[0], size, read_hash(lines[2])


def counting(size: int, keys: Sequence[Key]) -> Key:
    """The one of a log's keys whose signature counts at a tree size."""
    if len(keys) == 1 and keys[0].start is None:
        return keys[0]
    if any(key.start is None for key in keys):
        raise NotVerified(
            "you gave several keys of one log, and one that was ended may be in wrong hands: say of each "
            "from which size on it counts, as the log publishes it (--key 'KEY from=N to=M', or the "
            "published file: --history FILE)"
        )
    begun = [key for key in keys if key.start is not None and key.start <= size]
    counts = max(begun, key=lambda key: key.start or 0, default=None)
    if counts is None or (counts.to is not None and size > counts.to):
        raise NotVerified(f"none of the keys may sign a checkpoint of {size} entries")
    return counts


def signature_in(line: str, key: Key) -> bytes:
    """What a signature line holds after the key's id; nothing when it is not this key's line."""
    prefix = f"— {key.name} "
    if not line.startswith(prefix):
        return b""
    data = decode(line.removeprefix(prefix), "a signature")
    return data[4:] if data[:4] == key.key_id else b""


def require_signature(key: Key, signature: bytes, message: str) -> None:
    """Raise NotVerified unless the key signed the message."""
    try:
        key.public.verify(signature, message.encode())
    except InvalidSignature:
        raise NotVerified(f"the signature by {key.name} is wrong") from None


def signed(text: str, line: str, key: Key) -> bool:
    """Whether a signature line is this key's; raises NotVerified when it is and does not fit."""
    signature = signature_in(line, key)
    if signature:
        require_signature(key, signature, text)
    return bool(signature)


def require_witnesses(note: str, witnesses: Sequence[Key], needed: int) -> None:
    """Raise NotVerified unless so many of the witnesses have cosigned (C2SP tlog-cosignature)."""
    text, lines = split_note(note)
    found = {key.name for key in witnesses if any(cosigned(text, line, key) for line in lines)}
    if len(found) < needed:
        raise NotVerified(
            f"{len(found)} of the witnesses you named have cosigned the checkpoint; {needed} must"
        )


def cosigned(text: str, line: str, key: Key) -> bool:
    """Whether a signature line is this witness's cosignature; raises NotVerified for a wrong one."""
    data = signature_in(line, key)
    if data:
        time = int.from_bytes(data[:8], "big")
        require_signature(key, data[8:], f"cosignature/v1\ntime {time}\n{text}")
    return bool(data)


def read_hash(text: str) -> bytes:
    """One SHA-256 hash in base64."""
    value = decode(text, "a hash")
    if len(value) != 32:
        raise NotVerified(f"a hash has 32 bytes; got {len(value)}")
    return value


def read_proof(proof: str) -> tuple[int, list[bytes], str]:
    """A tlog-proof: (index, inclusion hashes, signed note)."""
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
    return int(index), hashes, note


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
        again = ENCODER.encode(fields).encode()
    except (ValueError, RecursionError):
        raise NotVerified("an entry is not JSON") from None
    if again != body or not isinstance(fields, dict) or set(fields) != KEYS:
        raise NotVerified("an entry does not have the form of version 1")
    return fields


def verify_entry(item: Any, keys: Sequence[Key], certificate: Any) -> Proven | Promised:
    """One element of the receipt's list: an entry with a proof or, when there is none yet, a promise."""
    words = [item.get(name) for name in ("entry", "proof", "promise")] if is_object(item) else []
    match words:
        case [str(entry), str(proof), None]:
            return proven(decode(entry, "an entry"), proof, keys)
        case [str(entry), None, str(promise)] if isinstance(certificate, str):
            return promised(decode(entry, "an entry"), promise, keys, certificate)
    raise NotVerified(
        "each element of the receipt has an entry and a proof, or a certified promise"
    )


def is_object(value: Any) -> bool:
    """Whether JSON gave an object."""
    return isinstance(value, dict)


def proven(body: bytes, proof: str, keys: Sequence[Key]) -> Proven:
    """An entry, once its proof leads to a root that was signed."""
    index, hashes, note = read_proof(proof)
    origin, size, root = read_checkpoint(note, keys)
    if climb(body, index, size, hashes) != root:
        raise NotVerified(
            f"the entry at place {index} is not in the signed tree: it or its proof was changed"
        )
    return Proven(read_entry(body), index, origin, size, root, note)


def promised(body: bytes, promise: str, keys: Sequence[Key], certificate: str) -> Promised:
    """An entry, once a key that the log's key vouches for has promised to take it up."""
    # A certificate has no size: whoever stole a key that was ended could make one at any time.
    kind, key, *rest = signed_text(certificate, [key for key in keys if key.to is None]).split("\n")
    if kind != PROMISE_KEY or rest != [""]:
        raise NotVerified("the certificate of promises is malformed")
    leaf = sha256(b"\x00" + body).digest()
    match signed_text(promise, [read_key(key)]).split("\n"):
        case [str(kind), origin, id, hash, due, ""] if kind == PROMISE and DUE.fullmatch(due):
            fields = read_entry(body)
            if origin not in {key.name for key in keys} or fields["id"] != id:
                raise NotVerified("a promise is of another log or another entry")
            if read_hash(hash) != leaf:
                raise NotVerified("an entry is not the one that was promised")
            return Promised(fields, leaf, due)
    raise NotVerified("a promise is malformed")


def verify_receipt(document: Any, keys: Sequence[Key]) -> list[Proven | Promised]:
    """Every entry of the receipt, proven or promised; or NotVerified."""
    if not isinstance(document, dict) or document.get("format") != RECEIPT:
        raise NotVerified(f"the file is not a receipt of the format {RECEIPT}")
    entries = document.get("entries")
    if not isinstance(entries, list) or not entries:
        raise NotVerified("the receipt holds no entry, so it proves nothing")
    found = [verify_entry(item, keys, document.get("promise_certificate")) for item in entries]
    roots: dict[tuple[str, int], bytes] = {}
    for entry in (each for each in found if isinstance(each, Proven)):
        if roots.setdefault((entry.origin, entry.size), entry.root) != entry.root:
            raise NotVerified(
                f"the log signed two different trees of {entry.size} entries; keep this file, it is "
                "evidence against the log"
            )
    return found


def plain(value: Any) -> str:
    """Text that cannot play tricks on a terminal."""
    return "".join(char if char.isprintable() else "?" for char in str(value))


def describe(entry: Proven | Promised) -> list[str]:
    """What an entry says, in words."""
    fields = entry.fields
    kind, _, name = plain(fields["actor"]).partition(":")
    facts = [
        ("place", entry.place),
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
        ("detail", detail_of(fields)),
    ]
    return [f"  {label + ':':<15}{value}" for label, value in facts if value]


def detail_of(fields: dict[str, Any]) -> str:
    """What an entry adds, in its own words; as it stands when it is no text."""
    try:
        return plain(bytes.fromhex(fields["detail"]).decode())
    except (TypeError, ValueError):
        return plain(fields["detail"])


def read_receipt(path: Path) -> Any:
    """A receipt's JSON."""
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise NotVerified(f"the file cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise NotVerified("the file is not JSON") from None


def receipt(given: Given) -> str:
    """Print what a receipt proves; returns the verdict's words or raises NotVerified."""
    document = read_receipt(given.file)
    found = verify_receipt(document, given.keys)
    for entry in found:
        if isinstance(entry, Proven):
            require_witnesses(entry.note, given.witnesses, given.needed)
    for number, entry in enumerate(found, start=1):
        print(f"Entry {number} of {len(found)}", *describe(entry), "", sep="\n")
    others = sorted(set(document) - {"format", "entries", "verifier_key", "promise_certificate"})
    if others:
        print(f"Not covered by the proof, only stated: {plain(', '.join(others))}.\n")
    dues = [entry.due for entry in found if isinstance(entry, Promised)]
    there, log = len(found) - len(dues), names(given.keys)
    says = []
    if there:
        words = "entry is" if there == 1 else "entries are"
        says = [f"{there} {words} in the log {log}, under a checkpoint signed by its key{given.by}"]
    if dues:
        words = "entry is" if len(dues) == 1 else "entries are"
        says += [f"{len(dues)} {words} promised until {max(dues)} by the log {log}"]
    return "; ".join(says)


def promise(given: Given) -> str:
    """Hold the promises of a receipt against an exported log."""
    found = verify_receipt(read_receipt(given.file), given.keys)
    missing = {entry.leaf: entry for entry in found if isinstance(entry, Promised)}
    if not missing:
        raise NotVerified("the receipt holds no promise")
    kept, latest = 0, ""
    size = verify_export(given.folder, given.keys)
    for body in bundled(given.folder, size):
        kept += missing.pop(sha256(b"\x00" + body).digest(), None) is not None
        latest = max(latest, str(read_entry(body)["time"]))
    for entry in missing.values():
        if latest > entry.due:
            raise NotVerified(
                f"a promise was broken: the log goes on until {latest} without the entry "
                f"{entry.fields['id']}, promised until {entry.due}. Keep the receipt and the export: "
                "together they are evidence against the log"
            )
    return f"promises kept: {kept}, not due yet: {len(missing)}, in a log of {size} entries"


def names(keys: Sequence[Key]) -> str:
    """The logs that the keys belong to."""
    return plain(", ".join(dict.fromkeys(key.name for key in keys)))


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


@dataclass(frozen=True)
class Record:
    """A key's line in the history: the sizes of the first and the last checkpoint that it may sign."""

    text: str
    key: Key
    start: int
    to: int | None

    @property
    def tag(self) -> str:
        """How entries name the key in their object field."""
        return sha256(self.text.encode()).hexdigest()

    @property
    def handover(self) -> str:
        """Where the checkpoint lies by which the key before it handed over."""
        return f"consentry-log-handover/{self.key.key_id.hex()}"


def read_text(path: Path) -> str:
    """A small text of an exported log."""
    try:
        return path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise NotVerified(f"{path} cannot be read ({type(error).__name__})") from None


def read_history(path: Path) -> list[Record]:
    """The keys that a published history names, newest first; nothing here says whether to believe it."""
    first, *lines = read_text(path).splitlines() or [""]
    records = []
    for line in lines:
        if line.startswith("#"):
            continue
        found = RECORD.fullmatch(line)
        if found is None:
            raise NotVerified(f"{HISTORY} has a line that is no key")
        key = timed(read_key(found[1]), found[2], found[3])
        records.append(Record(found[1], key, int(found[2]), key.to))
    if not records or records[0].text != first or len({r.text for r in records}) < len(records):
        raise NotVerified(
            f"{HISTORY} does not name each key once, and its newest in the first line"
        )
    return records


class KeyTrail:
    """Follows the keys of an exported log from those that were given to the one that counts at its end.

    A key is believed when it was given, or when the one before it, which is believed, signed a checkpoint
    of a tree in which an entry names it. Every other line of the history must be right as well.
    """

    def __init__(self, folder: Path, given: Sequence[Key]) -> None:
        self.folder, self.given = folder, given
        self.records = read_history(folder / HISTORY)
        self.named: dict[tuple[str, str], int] = {}  # the place of the entry of each change
        self.roots: dict[int, bytes] = {}
        self.sizes = {record.start - 1 for record in self.records}

    def counts_somewhere(self, record: Record) -> bool:
        """Whether a key signed what is here. One of an ended origin may have signed only what is lost."""
        return next(r for r in self.records if r.start <= record.start) is record

    def read_checkpoint(self, note: str) -> tuple[str, int, bytes]:
        """As the function of that name; the key that counts must have signed, whoever that is."""
        origin, size, root = read_checkpoint(note, [record.key for record in self.records])
        key = counting(size, [record.key for record in self.records if record.key.name == origin])
        self.size, self.counts = size, next(r for r in self.records if r.key is key)
        for given in self.given:
            if given.name == origin and (given.start is None or given.start <= size):
                self.require_named(given)
        return origin, size, root

    def require_named(self, given: Key) -> None:
        """Raise NotVerified unless a key that was given for this size is in the history, and from then on.

        Whoever stole an older key could else leave out the newer one, or move it to where nothing is yet.
        """
        record = next((r for r in self.records if same(r.key, given)), None)
        start = record.start if record else None
        if (
            start is None
            or start > self.size
            or given.start not in (None, start)
            or (record is self.counts and given.to is not None and given.to < self.size)
        ):
            raise NotVerified(
                f"{HISTORY} does not say of a key that you gave ({plain(given.name)}+"
                f"{given.key_id.hex()}) that it counted in a log of {self.size} entries. If this export is "
                "older than the key, leave it out"
            )

    def note_entry(self, index: int, fields: dict[str, Any]) -> None:
        """Remember where a key or an ended origin is named."""
        if fields["action"] in (ROTATION, NEW_ORIGIN) and fields["outcome"] == "ok":
            self.named.setdefault((fields["action"], fields["object"]), index)

    def conclude(self) -> None:
        """Once all entries were seen, raise NotVerified unless the key that counts is to be believed."""
        believed = {r.text for r in self.records if any(same(r.key, key) for key in self.given)}
        ended = 0
        for newer, older in reversed(list(pairwise(self.records))):
            moved = newer.key.name != older.key.name
            ended += moved
            if newer.start > self.size:
                continue  # it signs what comes after this export
            if moved:
                self.require_ended(ended, newer, older)
            elif self.counts_somewhere(newer):
                self.require_handover(newer, older)
                believed |= {newer.text} if older.text in believed else set()
        if self.counts.text not in believed:
            raise NotVerified(
                f"no key that you gave ({names(self.given)}) leads to the one that signed the checkpoint "
                f"({plain(self.counts.text)})"
            )

    def require_handover(self, newer: Record, older: Record) -> None:
        """Raise NotVerified unless the older key signed a tree of these entries that names the newer."""
        note = read_text(self.folder / newer.handover)
        _origin, size, root = read_checkpoint(note, [older.key])
        named = self.named.get((ROTATION, newer.tag), size)
        if size != newer.start - 1 or self.roots.get(size) != root or named >= size:
            raise NotVerified(
                f"{newer.handover} does not show that the log of {plain(newer.key.name)} went on with the "
                f"key that {HISTORY} names from {newer.start} entries on"
            )

    def require_ended(self, number: int, newer: Record, older: Record) -> None:
        """Raise NotVerified unless the first entry of the new origin names the last note of the old one."""
        path = f"consentry-log-ended/{number}"
        note = read_text(self.folder / path)
        origin, size, _root = read_checkpoint(note, [older.key])
        tag = sha256(note.encode()).hexdigest()
        if (origin, size) != (older.key.name, older.to) or (
            self.named.get((NEW_ORIGIN, tag)) != newer.start - 1
        ):
            raise NotVerified(
                f"{path} is not what entry {newer.start - 1} says the log goes on after"
            )


def same(one: Key, other: Key) -> bool:
    """Whether two keys are one."""
    return (one.name, one.public.public_bytes_raw()) == (
        other.name,
        other.public.public_bytes_raw(),
    )


def verify_export(folder: Path, keys: Sequence[Key]) -> int:
    """The number of entries of an exported log, which make all its hash tiles and the signed root."""
    note = read_text(folder / "checkpoint")
    trail = KeyTrail(folder, keys) if (folder / HISTORY).exists() else None
    _origin, size, root = trail.read_checkpoint(note) if trail else read_checkpoint(note, keys)
    edge: list[bytes] = []  # complete subtrees, from left to right
    tiles = HashTiles(folder, size)
    for index, body in enumerate(bundled(folder, size)):
        try:
            fields = read_entry(body)
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
        if trail:
            trail.note_entry(index, fields)
            if index + 1 in trail.sizes:
                trail.roots[index + 1] = root_of(edge)
    if root_of(edge) != root:
        raise NotVerified(f"the {size} entries make another root than the one that was signed")
    if trail:
        trail.conclude()
    return size


def root_of(edge: Sequence[bytes]) -> bytes:
    """The root over complete subtrees, from left to right."""
    if not edge:
        return sha256(b"").digest()
    root = edge[-1]
    for left in reversed(edge[:-1]):
        root = sha256(b"\x01" + left + root).digest()
    return root


def export(given: Given) -> str:
    """Verify an exported folder; what to print after ``verified:``."""
    size = verify_export(given.file, given.keys)
    require_witnesses(read_text(given.file / "checkpoint"), given.witnesses, given.needed)
    log = names(given.keys)
    return f"all {size} entries are the log {log}, under a checkpoint signed by its key{given.by}"


def given_keys(texts: Sequence[str], history: Path | None) -> list[Key]:
    """The keys of the command line, each once; with a history its keys, which must be all those."""
    keys: list[Key] = []
    for key in map(read_given, texts):
        keys += [] if any(same(key, other) for other in keys) else [key]
    if history is None:
        return keys
    published = [record.key for record in read_history(history)]
    for key in keys:
        if not any(same(key, other) for other in published):
            raise NotVerified(
                f"{history} does not name the key {plain(key.name)}+{key.key_id.hex()}"
            )
    return published


def read_arguments(arguments: Sequence[str] | None) -> tuple[Callable[[Given], str], Given]:
    """What to do, and with what."""
    parser = argparse.ArgumentParser(description="Verify what a Consentry access log says.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, what, run in (
        ("receipt", "a receipt (JSON)", receipt),
        ("export", "a folder that export_log wrote", export),
        ("promise", "a receipt (JSON) that holds promises", promise),
    ):
        command = commands.add_parser(name, help=f"verify {what}")
        command.add_argument("file", type=Path, help=what)
        if run is promise:
            command.add_argument("folder", type=Path, help="a folder that export_log wrote later")
        command.add_argument(
            "--key",
            action="append",
            default=[],
            help="the log's verifier key: ORIGIN+HASH+KEY, or of several each with from=N and to=M",
        )
        command.add_argument(
            "--history",
            type=Path,
            help="the log's published keys, in a file: what --key says of each",
        )
        if run is not promise:
            command.add_argument(
                "--witness", action="append", default=[], help="a witness's key: NAME+HASH+KEY"
            )
            command.add_argument(
                "--needed", type=int, help="how many of the witnesses must have cosigned (all)"
            )
        command.set_defaults(run=run, folder=None, witness=[], needed=None)
    given = parser.parse_args(arguments)
    if not given.key and not given.history:
        parser.error("expected --key or --history: without a key nothing is verified")
    witnesses = [read_key(key, WITNESS_KEY) for key in given.witness]
    needed = len(witnesses) if given.needed is None else given.needed
    if not min(1, len(witnesses)) <= needed <= len(witnesses):
        parser.error(f"--needed must be 1 to {len(witnesses)}, the number of --witness")
    keys = given_keys(given.key, given.history)
    return given.run, Given(given.file, given.folder or given.file, keys, witnesses, needed)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that knows few letters
    try:
        run, given = read_arguments(arguments)
        print("verified:", run(given))
    except NotVerified as error:
        print("NOT VERIFIED:", plain(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
