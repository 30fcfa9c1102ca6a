"""Nothing is sealed without a live permit; nothing is opened without a log receipt besides."""

from __future__ import annotations

import copy
import inspect
import json
import logging
import pickle
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connections, transaction
from uuid_utils.compat import uuid7

from audit_log.actions import Action, Outcome
from audit_log.errors import ReceiptAlreadyUsed
from audit_log.log import append
from tests.vault.cast import Place, Refused, SmallPermit, a_draft, a_place, a_receipt, a_unit
from vault import access, credentials, epochs, index, keyring, parts, setup, store, tags
from vault.errors import (
    KeyDestroyed,
    KeyMissing,
    PermitMismatch,
    ReceiptMismatch,
    ReceiptMissing,
    ReceiptTooOld,
    Tampered,
    UnitMismatch,
)
from vault.keyring import create_data_key, destroy_data_keys
from vault.parts import Sealed, unseal_parts
from vault.store import Plaintext, open_blob, seal, seal_blob, unseal
from vault.tags import tagger

Opener = Callable[[Any, Any, Place], bytes]


@pytest.fixture
def sealed(place: Place) -> bytes:
    return seal(place.permit, *place.where, b"happy")


@pytest.fixture
def film(place: Place, tmp_path: Path) -> Path:
    path = tmp_path / "film"
    with seal_blob(place.permit, *place.where, path) as writer:
        writer.write(b"happy")
        writer.commit()
    return path


@pytest.fixture(params=["record", "parts", "blob"])
def opener(request: pytest.FixtureRequest, sealed: bytes, film: Path) -> Opener:
    """The three ways in which something can be opened."""

    def record(permit: Any, receipt: Any, place: Place) -> bytes:
        return unseal(permit, receipt, *place.where, sealed).reveal()

    def parts(permit: Any, receipt: Any, place: Place) -> bytes:
        part = Sealed(data_key_id=place.key_id, unit=place.unit, row=place.row, sealed=sealed)
        return unseal_parts(permit, receipt, [part])[0].reveal()

    def blob(permit: Any, receipt: Any, place: Place) -> bytes:
        with open_blob(permit, receipt, *place.where, film) as reader:
            return reader.read()

    return {"record": record, "parts": parts, "blob": blob}[request.param]


def test_permit_and_receipt_open(opener: Opener, place: Place) -> None:
    assert opener(place.permit, a_receipt(place.permit), place) == b"happy"


class Impostor:
    """Looks like a receipt in every respect, but was not handed out by the log."""

    def __init__(self, permit: SmallPermit) -> None:
        self.entry_id = uuid7()
        self.leaf_hash = bytes(32)
        self.draft = a_draft(permit)
        self.written_at = time.monotonic()

    def consume(self) -> None:
        return


def test_without_a_durable_receipt_nothing_opens(opener: Opener, place: Place) -> None:
    with transaction.atomic():
        appended = append(a_draft(place.permit))
    for not_a_receipt in (None, True, Impostor(place.permit), appended, appended.receipt):
        with pytest.raises(ReceiptMissing):
            opener(place.permit, not_a_receipt, place)


def test_without_a_permit_nothing_opens(opener: Opener, place: Place) -> None:
    receipt = a_receipt(place.permit)
    for not_a_permit in (None, True, object(), SimpleNamespace(recheck=None)):
        with pytest.raises(PermitMismatch):
            opener(not_a_permit, receipt, place)


def test_receipt_opens_once(opener: Opener, place: Place) -> None:
    receipt = a_receipt(place.permit)
    opener(place.permit, receipt, place)
    with pytest.raises(ReceiptAlreadyUsed):
        opener(place.permit, receipt, place)


MISMATCHES: dict[str, dict[str, Any]] = {
    "subject": {"subject_tag": bytes(32)},
    "no subject": {"subject_tag": b""},
    "purpose": {"purpose_id": uuid7()},
    "no purpose": {"purpose_id": None},
    "object": {"object_tag": bytes(32)},
    "no object": {"object_tag": b""},
    "action": {"action": Action.MEDIA_READ},
    "permit": {"permit_id": uuid7()},
    "no permit": {"permit_id": None},
    "refused": {"outcome": Outcome.REFUSED},
    "failed": {"outcome": Outcome.FAILED},
}


@pytest.mark.parametrize("changes", MISMATCHES.values(), ids=MISMATCHES)
def test_receipt_of_something_else_opens_nothing(
    opener: Opener, place: Place, changes: dict[str, Any]
) -> None:
    receipt = a_receipt(place.permit, **changes)
    with pytest.raises(ReceiptMismatch):
        opener(place.permit, receipt, place)
    assert place.permit.asked == 2  # by the two seals of the fixtures: no key was even looked for
    receipt.consume()  # a receipt that was refused has not been used


def test_receipt_without_tags_opens_nothing_even_for_a_permit_without_tags(
    place: Place, sealed: bytes
) -> None:
    bare = SimpleNamespace(
        subject_id=place.unit.subject_id,
        purpose_id=place.unit.purpose_id,
        subject_tag=b"",
        object_tag=b"",
        action=place.permit.action,
        permit_id=place.permit.permit_id,
        recheck=place.permit.recheck,
    )
    receipt = a_receipt(place.permit, subject_tag=b"", object_tag=b"")
    with pytest.raises(ReceiptMismatch, match="subject, object"):
        unseal(bare, receipt, *place.where, sealed)


def test_receipt_of_30_seconds_ago_still_opens(
    opener: Opener, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt = a_receipt(place.permit)
    # A hair less: adding 30.0 to a float and taking it away again may give a little more than 30.
    monkeypatch.setattr(access.time, "monotonic", lambda: receipt.written_at + 29.999)
    assert opener(place.permit, receipt, place) == b"happy"


@pytest.mark.parametrize("age", [30.1, 3600.0, -0.1])
def test_receipt_that_is_too_old_opens_nothing(
    opener: Opener, place: Place, monkeypatch: pytest.MonkeyPatch, age: float
) -> None:
    receipt = a_receipt(place.permit)
    monkeypatch.setattr(access.time, "monotonic", lambda: receipt.written_at + age)
    with pytest.raises(ReceiptTooOld):
        opener(place.permit, receipt, place)


def test_gate_is_asked_once_per_use_of_the_key(opener: Opener, place: Place) -> None:
    before = place.permit.asked
    opener(place.permit, a_receipt(place.permit), place)
    assert place.permit.asked == before + 1


def test_refusal_at_the_last_moment_opens_nothing(opener: Opener, place: Place) -> None:
    receipt = a_receipt(place.permit)
    place.permit.refuse = True
    with pytest.raises(Refused):
        opener(place.permit, receipt, place)
    place.permit.refuse = False
    with pytest.raises(ReceiptAlreadyUsed):  # the refused access used its receipt up
        opener(place.permit, receipt, place)


def test_key_is_fetched_after_the_gate_was_asked(opener: Opener, place: Place) -> None:
    # A withdrawal that destroys the key while the gate answers wins.
    receipt = a_receipt(place.permit)
    place.permit.on_recheck = lambda: destroy_data_keys([place.key_id]) and None
    with pytest.raises(KeyDestroyed):
        opener(place.permit, receipt, place)


def test_nothing_stands_between_the_gate_and_the_key(opener: Opener, place: Place) -> None:
    queries: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        queries.append(sql)
        return execute(sql, params, many, context)

    receipt = a_receipt(place.permit)
    place.permit.on_recheck = lambda: queries.append("the gate was asked")
    with (
        connections["keystore"].execute_wrapper(note),
        connections["default"].execute_wrapper(note),
    ):
        opener(place.permit, receipt, place)
    after = queries[queries.index("the gate was asked") + 1 :]
    assert len(after) == 1
    assert "vault_datakey" in after[0]


def test_permit_for_another_subject_or_purpose_opens_nothing(opener: Opener, place: Place) -> None:
    for changes in ({"subject_id": uuid7()}, {"purpose_id": uuid7()}, {"purpose_id": None}):
        other = replace(place.permit, **changes)
        with pytest.raises(PermitMismatch):
            opener(other, a_receipt(other), place)


UNITS = {
    "category": {"category": "blendshapes"},
    "recording": {"recording_id": uuid7()},
}


@pytest.mark.parametrize("changes", UNITS.values(), ids=UNITS)
def test_key_of_another_unit_opens_nothing(
    opener: Opener, place: Place, changes: dict[str, Any]
) -> None:
    elsewhere = replace(place, unit=replace(place.unit, **changes))
    with pytest.raises(UnitMismatch):
        opener(place.permit, a_receipt(place.permit), elsewhere)


def test_other_key_of_the_same_unit_opens_nothing(opener: Opener, place: Place) -> None:
    elsewhere = replace(place, key_id=create_data_key(place.unit))
    with pytest.raises(Tampered):
        opener(place.permit, a_receipt(place.permit), elsewhere)


ROWS = {
    "table": {"table": "other"},
    "column": {"column": "other"},
    "row": {"row_id": uuid7()},
    "schema": {"schema_version": 2},
}


@pytest.mark.parametrize("changes", ROWS.values(), ids=ROWS)
def test_moved_to_another_row_nothing_opens(
    opener: Opener, place: Place, changes: dict[str, Any]
) -> None:
    elsewhere = replace(place, row=replace(place.row, **changes))
    with pytest.raises(Tampered):
        opener(place.permit, a_receipt(place.permit), elsewhere)


def test_moved_to_another_person_nothing_opens(opener: Opener, place: Place) -> None:
    other = replace(a_place(), row=place.row)
    with pytest.raises(Tampered):
        opener(other.permit, a_receipt(other.permit), other)


def test_destroyed_key_opens_nothing(opener: Opener, place: Place) -> None:
    destroy_data_keys([place.key_id])
    with pytest.raises(KeyDestroyed):
        opener(place.permit, a_receipt(place.permit), place)


def test_unknown_key_opens_nothing_and_is_not_made(opener: Opener, place: Place) -> None:
    for _ in range(2):
        with pytest.raises(KeyMissing):
            opener(place.permit, a_receipt(place.permit), replace(place, key_id=uuid7()))


# --- sealing ---------------------------------------------------------------------------------------


@pytest.fixture(params=["record", "blob"])
def sealer(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Any, Place], None]:
    """The two ways in which something can be sealed."""

    def record(permit: Any, place: Place) -> None:
        seal(permit, *place.where, b"happy")

    def blob(permit: Any, place: Place) -> None:
        seal_blob(permit, *place.where, tmp_path / "new").abort()

    return {"record": record, "blob": blob}[request.param]


def test_sealing_asks_the_gate(sealer: Callable[[Any, Place], None], place: Place) -> None:
    sealer(place.permit, place)
    assert place.permit.asked == 1


def test_refused_nothing_is_sealed(
    sealer: Callable[[Any, Place], None], place: Place, tmp_path: Path
) -> None:
    place.permit.refuse = True
    with pytest.raises(Refused):
        sealer(place.permit, place)
    assert not list(tmp_path.glob("*new*"))


def test_without_a_fitting_permit_nothing_is_sealed(
    sealer: Callable[[Any, Place], None], place: Place
) -> None:
    stranger = SmallPermit(uuid7(), place.unit.purpose_id)
    for wrong in (None, stranger, replace(place.permit, purpose_id=None)):
        with pytest.raises(PermitMismatch):
            sealer(wrong, place)


def test_under_a_destroyed_or_foreign_key_nothing_is_sealed(
    sealer: Callable[[Any, Place], None], place: Place
) -> None:
    other = replace(place, key_id=create_data_key(a_unit()))
    with pytest.raises(UnitMismatch):
        sealer(place.permit, other)
    destroy_data_keys([place.key_id])
    with pytest.raises(KeyDestroyed):
        sealer(place.permit, place)


def test_contact_data_belong_to_no_purpose(fresh_db: None) -> None:
    place = a_place(a_unit(purpose_id=None, category="contact"))
    sealed = seal(place.permit, *place.where, b"alice@example.org")
    opened = unseal(place.permit, a_receipt(place.permit), *place.where, sealed)
    assert opened.reveal() == b"alice@example.org"


# --- several parts with one receipt ------------------------------------------------------------------


def test_parts_open_together_or_not_at_all(place: Place) -> None:
    other_unit = replace(place.unit, category="blendshapes")
    other = replace(place, key_id=create_data_key(other_unit), unit=other_unit)
    parts = [
        Sealed(
            data_key_id=each.key_id,
            unit=each.unit,
            row=each.row,
            sealed=seal(place.permit, *each.where, each.unit.category.encode()),
        )
        for each in (place, other)
    ]
    opened = unseal_parts(place.permit, a_receipt(place.permit), parts)
    assert [part.reveal() for part in opened] == [b"expression", b"blendshapes"]
    destroy_data_keys([other.key_id])
    with pytest.raises(KeyDestroyed):
        unseal_parts(place.permit, a_receipt(place.permit), parts)


@pytest.mark.parametrize("first", [True, False])
def test_one_key_of_two_units_opens_neither(place: Place, sealed: bytes, first: bool) -> None:
    mine = Sealed(data_key_id=place.key_id, unit=place.unit, row=place.row, sealed=sealed)
    for stolen, problem in (
        (replace(place.unit, category="blendshapes"), UnitMismatch),
        (replace(place.unit, subject_id=uuid7()), PermitMismatch),
    ):
        both = [replace(mine, unit=stolen), mine]
        with pytest.raises(problem):
            unseal_parts(place.permit, a_receipt(place.permit), both if first else both[::-1])


def test_the_gate_is_asked_again_before_every_lot_of_keys(place: Place, sealed: bytes) -> None:
    """Whoever leaves while many parts are opened gets none of them opened."""
    part = Sealed(data_key_id=place.key_id, unit=place.unit, row=place.row, sealed=sealed)
    permit, before = place.permit, place.permit.asked
    assert len(unseal_parts(permit, a_receipt(permit), [part] * parts.LOT)) == parts.LOT
    assert permit.asked == before + 1

    def leave() -> None:
        permit.refuse = permit.asked == before + 3

    permit.on_recheck = leave
    with pytest.raises(Refused):
        unseal_parts(permit, a_receipt(permit), [part] * (parts.LOT + 1))


# --- plaintext -----------------------------------------------------------------------------------------


def test_plaintext_does_not_slip_out(caplog: pytest.LogCaptureFixture) -> None:
    plain = Plaintext(b"happy")
    logging.getLogger("test").warning("%s %r", plain, plain)
    shown = [repr(plain), str(plain), f"{plain}", f"{plain:>30}", f"{plain!r}", caplog.text]
    assert not any("happy" in text for text in shown)
    for leak in (pickle.dumps, json.dumps, copy.copy, copy.deepcopy, bytes, vars, list):
        with pytest.raises(TypeError):
            leak(plain)  # type: ignore[operator]  # each must refuse it
    assert plain.reveal() == b"happy"


# --- the whole surface ---------------------------------------------------------------------------------


def test_every_way_to_open_demands_permit_and_receipt() -> None:
    for function in (unseal, open_blob, unseal_parts):
        assert list(inspect.signature(function).parameters)[:2] == ["permit", "receipt"]
        for parameter in list(inspect.signature(function).parameters.values())[:2]:
            assert parameter.default is parameter.empty
    for function in (seal, seal_blob):
        first = next(iter(inspect.signature(function).parameters.values()))
        assert (first.name, first.default) == ("permit", first.empty)


SECRETS = {"Plaintext", "BlobReader", "bytes"}
SAFE = {
    "seal": "sealed bytes",
    "index": "a keyed hash",
    "label": "a public constant",
    "open_credential": "an operator's second factor, never anything about a data subject",
    "rewrapped": "a wrapped key",
    "proof_aad": "public bytes",
}


def test_no_public_function_gives_bytes_without_a_receipt() -> None:
    for module in (credentials, epochs, index, keyring, parts, setup, store, tags):
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if name.startswith("_") or function.__module__ != module.__name__ or name in SAFE:
                continue
            signature = inspect.signature(function)
            if any(secret in str(signature.return_annotation) for secret in SECRETS):
                assert {"permit", "receipt"} <= set(signature.parameters), name


def test_names_never_show_a_key(place: Place) -> None:
    shown = repr(tagger(place.unit.subject_id, place.unit.purpose_id))
    assert shown == "Tagger(sealed)"
