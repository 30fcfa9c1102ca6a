"""The formats as docs/formats.md describes them, by a decryptor that shares no code with the vault."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import struct
from pathlib import Path
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from vault import aead
from vault.aead import Binding, Label
from vault.blobs import BlobReader, BlobWriter
from vault.units import Row, Unit

DOCS = Path(__file__).resolve().parents[2] / "docs" / "formats.md"


def vector(title: str) -> dict[str, str]:
    """The lines of the first code block after a heading."""
    after = DOCS.read_text().split(f"## {title}\n", 1)[1]
    block = after.split("```\n", 2)[1]
    return dict(
        re.split(r"\s{1,}(?=\S+$|\{|a short)", line, maxsplit=1) for line in block.splitlines()
    )


def expand(key: bytes, info: bytes, length: int) -> bytes:
    out, block, number = b"", b"", 1
    while len(out) < length:
        block = hmac.digest(key, block + info + bytes([number]), hashlib.sha512)
        out, number = out + block, number + 1
    return out[:length]


def field(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value


def documented_aad(given: dict[str, str]) -> bytes:
    return b"".join(
        [
            field(given["table"].encode()),
            field(given["column"].encode()),
            field(UUID(given["row"]).bytes),
            field(UUID(given["subject"]).bytes),
            field(UUID(given["purpose"]).bytes),
            field(UUID(given["data key id"]).bytes),
            field(struct.pack(">I", int(given["schema"]))),
        ]
    )


def open_documented_record(key: bytes, aad: bytes, record: bytes) -> bytes:
    salt, commitment, body = record[18:42], record[42:74], record[74:]
    secret = expand(key, b"consentry/record" + record[:2] + salt + aad, 76)
    assert commitment == secret[44:]
    return AESGCM(secret[:32]).decrypt(secret[32:44], body, aad)


def open_documented_blob(key: bytes, aad: bytes, blob: bytes) -> bytes:
    input_key = expand(key, b"consentry/blob\x01\x01", 32)
    prefix = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\x00"
    secret = expand(input_key, prefix + blob[:24] + aad, 76)
    assert blob[24:56] == secret[44:]
    plain, number, base = b"", 0, int.from_bytes(secret[32:44], "big")
    while True:
        chunk = blob[56 + number * 16_400 :][:16_400]
        plain += AESGCM(secret[:32]).decrypt((base ^ number).to_bytes(12, "big"), chunk, b"")
        if len(chunk) < 16_400:
            return plain
        number += 1


@pytest.fixture
def given() -> dict[str, str]:
    return vector("Sealed record")


@pytest.fixture
def binding(given: dict[str, str]) -> Binding:
    unit = Unit(
        subject_id=UUID(given["subject"]), purpose_id=UUID(given["purpose"]), category="expression"
    )
    row = Row(table=given["table"], column=given["column"], row_id=UUID(given["row"]))
    return Binding(unit=unit, row=row, data_key_id=UUID(given["data key id"]))


def test_aad_is_as_documented(given: dict[str, str], binding: Binding) -> None:
    assert binding.encode().hex() == given["AAD"] == documented_aad(given).hex()


def test_aad_without_purpose_has_an_empty_field(binding: Binding) -> None:
    unit = Unit(subject_id=binding.unit.subject_id, purpose_id=None, category="contact")
    aad = Binding(unit=unit, row=binding.row, data_key_id=binding.data_key_id).encode()
    assert field(unit.subject_id.bytes) + field(b"") + field(binding.data_key_id.bytes) in aad


def test_documented_record_opens_without_the_vault(given: dict[str, str]) -> None:
    key, record = bytes.fromhex(given["data key"]), bytes.fromhex(given["record"])
    assert open_documented_record(key, documented_aad(given), record).decode() == given["plaintext"]


def test_vault_opens_the_documented_record(given: dict[str, str], binding: Binding) -> None:
    key, record = bytes.fromhex(given["data key"]), bytes.fromhex(given["record"])
    opened = aead.unseal(Label.RECORD, key, binding.data_key_id, binding.encode(), record)
    assert opened.decode() == given["plaintext"]


def test_what_the_vault_seals_is_as_documented(binding: Binding) -> None:
    key, plain = os.urandom(32), os.urandom(1000)
    record = aead.seal(Label.RECORD, key, binding.data_key_id, binding.encode(), plain)
    assert record[:18] == b"\x01\x01" + binding.data_key_id.bytes
    assert open_documented_record(key, binding.encode(), record) == plain


def test_documented_blob_opens_without_the_vault(given: dict[str, str]) -> None:
    blob = vector("Sealed blob")
    key, sealed = bytes.fromhex(given["data key"]), bytes.fromhex(blob["blob"])
    assert expand(key, b"consentry/blob\x01\x01", 32).hex() == blob["input key"]
    assert open_documented_blob(key, documented_aad(given), sealed).decode() == blob["plaintext"]


def test_vault_opens_the_documented_blob(
    given: dict[str, str], binding: Binding, tmp_path: Path
) -> None:
    blob = vector("Sealed blob")
    path = tmp_path / "film"
    path.write_bytes(bytes.fromhex(blob["blob"]))
    with BlobReader(bytes.fromhex(given["data key"]), binding.encode(), path) as film:
        assert film.read().decode() == blob["plaintext"]


@pytest.mark.parametrize("size", [0, 1, 16_383, 16_384, 16_385, 50_000])
def test_blob_that_the_vault_seals_is_as_documented(
    binding: Binding, tmp_path: Path, size: int
) -> None:
    key, plain = os.urandom(32), os.urandom(size)
    with BlobWriter(key, binding.encode(), tmp_path / "film") as writer:
        writer.write(plain)
        writer.commit()
    sealed = (tmp_path / "film").read_bytes()
    assert open_documented_blob(key, binding.encode(), sealed) == plain
