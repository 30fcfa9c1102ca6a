"""What a witness says about a checkpoint: C2SP ``tlog-cosignature``, Ed25519. Pure.

Source: https://c2sp.org/tlog-cosignature. A cosignature is a line under the note, with the time in
it: at that time this was the largest tree of the log that the witness had seen, and it continued
every tree that it had seen before.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from audit_log.checkpoint import InvalidNote, SignerKey, VerifierKey, split_note

COSIGNATURE = b"\x04"
TIME_LENGTH = 8
LENGTH = 4 + TIME_LENGTH + 64  # key id, time, Ed25519 signature
MAX_TIME = 2**63 - 1


class WitnessKey(VerifierKey):
    """The public key of a witness: a verifier key of the kind that cosigns."""

    algorithm: ClassVar[bytes] = COSIGNATURE


@dataclass(frozen=True)
class Cosignature:
    """One witness's word: the line as it stands below the note, and its time in seconds since 1970."""

    witness: WitnessKey
    time: int
    line: str


def witness_key(key: SignerKey) -> WitnessKey:
    """The public half of a key that a witness signs with."""
    return WitnessKey(key.name, key.verifier.public)


def message(text: str, time: int) -> bytes:
    """What a witness signs: a header, the time, and the whole note text."""
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def cosign(note: str, key: SignerKey, time: int) -> str:
    """The signature line of a witness for the checkpoint in a note. Verify the note before."""
    text, _ = split_note(note)
    signature = Ed25519PrivateKey.from_private_bytes(key.seed).sign(message(text, time))
    data = witness_key(key).key_id + time.to_bytes(TIME_LENGTH, "big") + signature
    return f"— {key.name} {base64.b64encode(data).decode()}\n"


def cosignatures(note: str, witnesses: Iterable[WitnessKey]) -> list[Cosignature]:
    """The cosignatures of these witnesses under a note, the latest of each; others are passed over.

    Raises InvalidNote for a malformed note, and for a signature of one of them that does not fit.
    """
    text, signatures = split_note(note)
    found = []
    for witness in witnesses:
        mine = [s for name, s in signatures if name == witness.name and s[:4] == witness.key_id]
        said = [read(text, witness, signature) for signature in mine]
        found += sorted(said, key=lambda each: each.time)[-1:]
    return found


def read(text: str, witness: WitnessKey, signature: bytes) -> Cosignature:
    """One cosignature, verified. Raises InvalidNote."""
    time = int.from_bytes(signature[4 : 4 + TIME_LENGTH], "big")
    if len(signature) != LENGTH or time > MAX_TIME:
        raise InvalidNote(
            f"a cosignature has {LENGTH} bytes and a time; got {len(signature)} bytes"
        )
    public = Ed25519PublicKey.from_public_bytes(witness.public)
    try:
        public.verify(signature[4 + TIME_LENGTH :], message(text, time))
    except InvalidSignature:
        raise InvalidNote(f"the cosignature by {witness.name} does not fit the text") from None
    line = f"— {witness.name} {base64.b64encode(signature).decode()}\n"
    return Cosignature(witness, time, line)
