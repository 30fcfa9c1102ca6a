"""Checkpoints and the signed notes that carry them: C2SP ``tlog-checkpoint``, ``signed-note``. Pure.

Keys are written as golang.org/x/mod/sumdb/note writes them: a verifier key is
``name+hash+base64(0x01 || public key)``, a signer key ``PRIVATE+KEY+name+hash+base64(0x01 || seed)``.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import ClassVar, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from audit_log.merkle import HASH_LENGTH

ED25519 = b"\x01"
ED25519_LENGTH = 32
PRIVATE_PREFIX = "PRIVATE+KEY+"
# signed-note: at least 16 signatures are accepted; a limit keeps a hostile note cheap.
MAX_SIGNATURES = 64
MAX_NOTE = 1_000_000
NAME = re.compile(r"[^\s+]+")
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")  # all below a space but the line end
SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


class InvalidNote(Exception):
    """A note, key or checkpoint is malformed, or no trusted key signed it."""


@dataclass(frozen=True)
class VerifierKey:
    """A public key that may sign notes under a name. ``algorithm`` says what it signs, and how."""

    name: str
    public: bytes
    algorithm: ClassVar[bytes] = ED25519

    @property
    def key_id(self) -> bytes:
        """signed-note: SHA-256(name || 0x0A || algorithm || public key)[:4]."""
        return sha256(self.name.encode() + b"\n" + self.algorithm + self.public).digest()[:4]

    def __str__(self) -> str:
        key = base64.b64encode(self.algorithm + self.public).decode()
        return f"{self.name}+{self.key_id.hex()}+{key}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``name+hash+key``. Raises InvalidNote when a part is missing or does not fit."""
        name, _, rest = text.strip().partition("+")
        key_id, _, key = rest.partition("+")
        parsed = cls(require_name(name), read_key(key, cls.algorithm))
        if parsed.key_id.hex() != key_id:
            raise InvalidNote(f"expected key hash {parsed.key_id.hex()}; got {key_id!r}")
        return parsed


@dataclass(frozen=True, repr=False)
class SignerKey:
    """A private key with the name it signs under."""

    name: str
    seed: bytes

    @property
    def verifier(self) -> VerifierKey:
        """The public half."""
        private = Ed25519PrivateKey.from_private_bytes(self.seed)
        return VerifierKey(self.name, private.public_key().public_bytes_raw())

    def encode(self) -> str:
        """The text to keep in a file; it is a secret."""
        key = base64.b64encode(ED25519 + self.seed).decode()
        return f"{PRIVATE_PREFIX}{self.name}+{self.verifier.key_id.hex()}+{key}"

    @classmethod
    def parse(cls, text: str) -> SignerKey:
        """Read what ``encode`` writes. Raises InvalidNote, without the secret in the message."""
        if not text.startswith(PRIVATE_PREFIX):
            raise InvalidNote("a signing key starts with PRIVATE+KEY+")
        name, _, rest = text.strip().removeprefix(PRIVATE_PREFIX).partition("+")
        key_id, _, key = rest.partition("+")
        parsed = cls(require_name(name), read_key(key, ED25519))
        if parsed.verifier.key_id.hex() != key_id:
            raise InvalidNote("the hash in the signing key does not fit the key")
        return parsed

    @classmethod
    def generate(cls, name: str) -> SignerKey:
        """A new random key for a log's origin. Raises InvalidNote for a name with spaces or plus."""
        return cls(require_name(name), Ed25519PrivateKey.generate().private_bytes_raw())


@dataclass(frozen=True)
class Checkpoint:
    """A log's tree at one size: the three lines of ``tlog-checkpoint``, without extension lines."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The note text, which is what is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Read a note text. Raises InvalidNote for a malformed line; extension lines are let pass."""
        lines = text.split("\n")
        if len(lines) < 4 or lines.pop() or not all(lines):
            raise InvalidNote("a checkpoint has at least three lines, none of them empty")
        if SIZE.fullmatch(lines[1]) is None:
            raise InvalidNote(f"expected a tree size without leading zeroes; got {lines[1]!r}")
        root = decode(lines[2])
        if len(root) != HASH_LENGTH:
            raise InvalidNote(f"a root hash has {HASH_LENGTH} bytes; got {len(root)}")
        return cls(lines[0], int(lines[1]), root)


def sign(checkpoint: Checkpoint, *keys: SignerKey) -> str:
    """The signed note of a checkpoint, with a signature line for each key."""
    return sign_text(checkpoint.text(), *keys)


def sign_text(text: str, *keys: SignerKey) -> str:
    """The signed note of a text, which ends with a newline."""
    return "\n".join([text, *(signature_line(text, key) for key in keys)]) + "\n"


def signature_line(text: str, key: SignerKey) -> str:
    """One key's signature under a text, without its line end."""
    private = Ed25519PrivateKey.from_private_bytes(key.seed)
    signature = key.verifier.key_id + private.sign(text.encode())
    return f"— {key.name} {base64.b64encode(signature).decode()}"


def verify(note: str, key: VerifierKey) -> Checkpoint:
    """The checkpoint in a note that this key signed under its own origin. Raises InvalidNote."""
    checkpoint = Checkpoint.parse(verify_text(note, key))
    if checkpoint.origin != key.name:
        raise InvalidNote(f"expected origin {key.name!r}; got {checkpoint.origin!r}")
    return checkpoint


def verify_text(note: str, key: VerifierKey) -> str:
    """The text of a note that this key signed. Raises InvalidNote.

    Signatures by other keys are ignored, as ``signed-note`` asks; a wrong one by this key is not.
    """
    text, signatures = split_note(note)
    mine = [s[4:] for name, s in signatures if name == key.name and s[:4] == key.key_id]
    if not mine:
        raise InvalidNote(f"no signature by {key.name}+{key.key_id.hex()}")
    for signature in mine:
        try:
            Ed25519PublicKey.from_public_bytes(key.public).verify(signature, text.encode())
        except InvalidSignature:
            raise InvalidNote(f"the signature by {key.name} does not fit the text") from None
    return text


def split_note(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    """A note's text and its signatures as (key name, key id || signature). Raises InvalidNote."""
    if len(note) > MAX_NOTE:
        raise InvalidNote("the note is too long")
    if CONTROL.search(note):
        raise InvalidNote("the note has control characters")
    text, separator, block = note.rpartition("\n\n")
    lines = block.split("\n")
    if not separator or not text or lines.pop():
        raise InvalidNote("a note is a text, an empty line and signature lines")
    if not 0 < len(lines) <= MAX_SIGNATURES:
        raise InvalidNote(f"a note has 1 to {MAX_SIGNATURES} signatures; got {len(lines)}")
    return f"{text}\n", [read_signature(line) for line in lines]


def read_signature(line: str) -> tuple[str, bytes]:
    """One signature line. Raises InvalidNote."""
    match line.split(" "):
        case ["—", name, encoded]:
            signature = decode(encoded)
            if len(signature) < 5:
                raise InvalidNote("a signature line holds a key id and a signature")
            return require_name(name), signature
    raise InvalidNote(f"not a signature line: {line!r}")


def require_name(name: str) -> str:
    """A key name as it stands. Raises InvalidNote when it is empty or has spaces or a plus."""
    if NAME.fullmatch(name) is None:
        raise InvalidNote(f"a key name has no spaces and no plus; got {name!r}")
    return name


def read_key(encoded: str, algorithm: bytes) -> bytes:
    """The 32 bytes of an Ed25519 key. Raises InvalidNote for any other kind."""
    data = decode(encoded)
    if data[:1] != algorithm or len(data) != 1 + ED25519_LENGTH:
        raise InvalidNote(f"expected an Ed25519 key: 0x{algorithm.hex()} and 32 bytes")
    return data[1:]


def decode(encoded: str) -> bytes:
    """Standard base64, in its one canonical spelling. Raises InvalidNote."""
    try:
        data = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if not encoded or base64.b64encode(data).decode() != encoded:
        raise InvalidNote("not canonical base64")
    return data
