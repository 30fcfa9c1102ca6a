"""Sealed records: whatever is changed or moved, they do not open."""

from __future__ import annotations

import os
from dataclasses import replace
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from tests.vault.cast import a_row, a_unit
from vault.aead import (
    COMMITMENT_BYTES,
    HEADER_BYTES,
    OVERHEAD_BYTES,
    Binding,
    Label,
    derive,
    encode_fields,
    message_secrets,
    seal,
    unseal,
)
from vault.errors import Tampered

KEY = os.urandom(32)
BINDING = Binding(unit=a_unit(), row=a_row(), data_key_id=uuid4())


def sealed_under(binding: Binding, plain: bytes, label: Label = Label.RECORD) -> bytes:
    return seal(label, KEY, binding.data_key_id, binding.encode(), plain)


def opened_under(binding: Binding, sealed: bytes, label: Label = Label.RECORD) -> bytes:
    return unseal(label, KEY, binding.data_key_id, binding.encode(), sealed)


@given(st.binary(max_size=2000))
def test_what_was_sealed_opens_again(plain: bytes) -> None:
    sealed = sealed_under(BINDING, plain)
    assert len(sealed) == len(plain) + OVERHEAD_BYTES
    assert opened_under(BINDING, sealed) == plain


@given(st.binary(max_size=60), st.data())
def test_flipping_any_bit_is_noticed(plain: bytes, data: st.DataObject) -> None:
    sealed = bytearray(sealed_under(BINDING, plain))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Tampered):
        opened_under(BINDING, bytes(sealed))


def test_flipping_each_bit_is_noticed() -> None:
    sealed = sealed_under(BINDING, b"x")
    for bit in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Tampered):
            opened_under(BINDING, bytes(changed))


@given(st.binary(min_size=1, max_size=60), st.data())
def test_cutting_off_or_adding_is_noticed(plain: bytes, data: st.DataObject) -> None:
    sealed = sealed_under(BINDING, plain)
    cut = data.draw(st.integers(0, len(sealed) - 1))
    for changed in (sealed[:cut], sealed + b"\x00"):
        with pytest.raises(Tampered):
            opened_under(BINDING, changed)


ELSEWHERE = {
    "table": replace(BINDING, row=replace(BINDING.row, table="other")),
    "column": replace(BINDING, row=replace(BINDING.row, column="other")),
    "row": replace(BINDING, row=replace(BINDING.row, row_id=uuid4())),
    "schema": replace(BINDING, row=replace(BINDING.row, schema_version=2)),
    "subject": replace(BINDING, unit=replace(BINDING.unit, subject_id=uuid4())),
    "purpose": replace(BINDING, unit=replace(BINDING.unit, purpose_id=uuid4())),
    "no purpose": replace(BINDING, unit=replace(BINDING.unit, purpose_id=None)),
    "data key": replace(BINDING, data_key_id=uuid4()),
}


@pytest.mark.parametrize("other", ELSEWHERE.values(), ids=ELSEWHERE)
def test_moved_record_does_not_open(other: Binding) -> None:
    with pytest.raises(Tampered):
        opened_under(other, sealed_under(BINDING, b"happy"))
    # Not even when the header is made to name the other data key.
    sealed = bytearray(sealed_under(BINDING, b"happy"))
    sealed[2:18] = other.data_key_id.bytes
    with pytest.raises(Tampered):
        opened_under(other, bytes(sealed))


def test_another_key_does_not_open() -> None:
    sealed = sealed_under(BINDING, b"happy")
    with pytest.raises(Tampered):
        unseal(Label.RECORD, os.urandom(32), BINDING.data_key_id, BINDING.encode(), sealed)


def test_another_label_does_not_open() -> None:
    with pytest.raises(Tampered):
        opened_under(BINDING, sealed_under(BINDING, b"happy", Label.CREDENTIAL))


def test_ciphertext_is_committed_to_one_key() -> None:
    # A record whose AES-GCM part is valid under a second key still names the first: with a commitment
    # of its own the second key's record would be another record.
    first, second, aad = os.urandom(32), os.urandom(32), BINDING.encode()
    sealed = seal(Label.RECORD, first, BINDING.data_key_id, aad, b"for the first key")
    salt = sealed[18:42]
    message_key, nonce, commitment = message_secrets(Label.RECORD, second, salt, aad)
    forged = sealed[:HEADER_BYTES] + AESGCM(message_key).encrypt(nonce, b"for the second", aad)
    with pytest.raises(Tampered, match="does not belong"):
        unseal(Label.RECORD, second, BINDING.data_key_id, aad, forged)
    honest = sealed[: HEADER_BYTES - COMMITMENT_BYTES] + commitment + forged[HEADER_BYTES:]
    assert unseal(Label.RECORD, second, BINDING.data_key_id, aad, honest) == b"for the second"
    with pytest.raises(Tampered, match="does not belong"):
        unseal(Label.RECORD, first, BINDING.data_key_id, aad, honest)


def test_same_plaintext_never_seals_alike() -> None:
    assert len({sealed_under(BINDING, b"happy") for _ in range(50)}) == 50


@given(st.lists(st.binary(max_size=5)), st.lists(st.binary(max_size=5)))
def test_no_two_lists_of_fields_encode_alike(one: list[bytes], other: list[bytes]) -> None:
    assert (encode_fields(one) == encode_fields(other)) == (one == other)


def test_key_of_the_wrong_length_is_an_error() -> None:
    with pytest.raises(ValueError, match="32 bytes, got 16"):
        derive(os.urandom(16), Label.RECORD, b"", 32)
