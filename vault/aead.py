"""Sealed records: one key, nonce and commitment per message, all derived from a data key.

Bytes: ``version(1) ‖ suite(1) ‖ key id(16) ‖ salt(24) ‖ commitment(32) ‖ AES-256-GCM``, described
with a test vector in ``docs/formats.md``. Key, nonce and commitment come from HKDF-Expand-SHA512
(RFC 5869) over the data key with ``label ‖ version ‖ suite ‖ salt ‖ AAD`` as info, after the
pattern of C2SP chunked-encryption. The data key is uniformly random, so there is no Extract step.
The commitment makes sure that one sealed record opens under one key only, which AES-GCM alone does
not promise (https://eprint.iacr.org/2020/1456), and is checked first, in constant time.

Pure: bytes in, bytes out.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from vault.errors import Tampered
from vault.units import Row, Unit

VERSION = 1
SUITE = 1  # HKDF-SHA512 + AES-256-GCM
KEY_BYTES = 32
SALT_BYTES = 24
COMMITMENT_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16
HEADER_BYTES = 2 + 16 + SALT_BYTES + COMMITMENT_BYTES
OVERHEAD_BYTES = HEADER_BYTES + TAG_BYTES


class Label(Enum):
    """What kind of thing is sealed. Each label gives other keys, so no kind opens as another."""

    RECORD = b"consentry/record"
    CREDENTIAL = b"consentry/credential"
    BLOB = b"consentry/blob"


def encode_fields(fields: Iterable[bytes]) -> bytes:
    """The fields, each after its length as 4 bytes big-endian: no two lists encode alike."""
    return b"".join(len(field).to_bytes(4, "big") + field for field in fields)


@dataclass(frozen=True, kw_only=True)
class Binding:
    """Everything that sealed bytes are bound to; ``encode`` gives their AAD."""

    unit: Unit
    row: Row
    data_key_id: UUID

    def encode(self) -> bytes:
        """Length-prefixed table, column, row id, subject, purpose, data-key id, schema version.

        Ids are their 16 bytes; no purpose is the empty field; the schema version has 4 bytes.
        """
        purpose = self.unit.purpose_id
        return encode_fields(
            [
                self.row.table.encode(),
                self.row.column.encode(),
                self.row.row_id.bytes,
                self.unit.subject_id.bytes,
                b"" if purpose is None else purpose.bytes,
                self.data_key_id.bytes,
                self.row.schema_version.to_bytes(4, "big"),
            ]
        )


def derive(key: bytes, label: Label, rest: bytes, length: int) -> bytes:
    """``length`` bytes for one use of ``key``, which must be 32 uniformly random bytes."""
    if len(key) != KEY_BYTES:
        raise ValueError(f"expected a key of {KEY_BYTES} bytes, got {len(key)}")
    info = label.value + bytes([VERSION, SUITE]) + rest
    return HKDFExpand(SHA512(), length, info).derive(key)


def seal(label: Label, key: bytes, key_id: UUID, aad: bytes, plaintext: bytes) -> bytes:
    """The sealed bytes, ``OVERHEAD_BYTES`` (90) longer than the plaintext."""
    salt = os.urandom(SALT_BYTES)
    message_key, nonce, commitment = message_secrets(label, key, salt, aad)
    header = bytes([VERSION, SUITE]) + key_id.bytes + salt + commitment
    return header + AESGCM(message_key).encrypt(nonce, plaintext, aad)


def unseal(label: Label, key: bytes, key_id: UUID, aad: bytes, sealed: bytes) -> bytes:
    """The plaintext; raises Tampered when anything at all is not as it was sealed."""
    if len(sealed) < OVERHEAD_BYTES:
        raise Tampered(f"expected at least {OVERHEAD_BYTES} sealed bytes, got {len(sealed)}")
    if sealed[:2] != bytes([VERSION, SUITE]):
        raise Tampered(f"expected version {VERSION}, suite {SUITE}; got {sealed[0]}, {sealed[1]}")
    if sealed[2:18] != key_id.bytes:
        raise Tampered("the record was sealed under another key than the one named")
    salt, commitment = sealed[18:42], sealed[42:HEADER_BYTES]
    message_key, nonce, expected = message_secrets(label, key, salt, aad)
    if not hmac.compare_digest(commitment, expected):
        raise Tampered("the record does not belong to this key and this place")
    try:
        return AESGCM(message_key).decrypt(nonce, sealed[HEADER_BYTES:], aad)
    except InvalidTag:
        raise Tampered("the sealed bytes were changed") from None


def message_secrets(
    label: Label, key: bytes, salt: bytes, aad: bytes
) -> tuple[bytes, bytes, bytes]:
    """Key (32), nonce (12) and commitment (32) of one message."""
    both = KEY_BYTES + NONCE_BYTES
    secret = derive(key, label, salt + aad, both + COMMITMENT_BYTES)
    return secret[:KEY_BYTES], secret[KEY_BYTES:both], secret[both:]
