"""Tags, look-up indexes and credentials: keyed, kept apart, and useless without their key."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections
from uuid_utils.compat import uuid7

from tests.vault.cast import a_place
from vault import aead, keys
from vault.aead import Label
from vault.credentials import open_credential, seal_credential
from vault.epochs import rotate
from vault.errors import KeyDestroyed, Tampered
from vault.index import index
from vault.models import DataKey, ServiceKey, TagKey
from vault.tags import destroy_tag_key, tagger

pytestmark = pytest.mark.usefixtures("fresh_db")


def test_tags_are_the_same_each_time() -> None:
    subject, purpose, thing = uuid7(), uuid7(), uuid7()
    one, other = tagger(subject, purpose), tagger(subject, purpose)
    assert one.subject() == other.subject()
    assert one.consent_record(thing) == other.consent_record(thing)
    assert one.object("recording", thing) == other.object("recording", thing)
    assert TagKey.objects.count() == 1


def test_every_kind_of_tag_differs() -> None:
    thing = uuid7()
    tags = tagger(uuid7(), uuid7())
    made = [
        tags.subject(),
        tags.consent_record(thing),
        tags.object("recording", thing),
        tags.object("analysis", thing),
        tags.object("recording", uuid7()),
        tags.fingerprint().digest(),
    ]
    assert len(set(made)) == len(made)
    assert {len(tag) for tag in made} == {32}


def test_tags_of_two_purposes_do_not_link() -> None:
    subject, thing = uuid7(), uuid7()
    made = [tagger(subject, purpose) for purpose in (uuid7(), uuid7(), None)]
    assert len({tags.subject() for tags in made}) == 3
    assert len({tags.object("recording", thing) for tags in made}) == 3


def test_fingerprint_is_of_the_whole_body() -> None:
    tags = tagger(uuid7(), uuid7())
    one, other = tags.fingerprint(), tags.fingerprint()
    one.update(b"a photo")
    one.update(b"graph")
    other.update(b"a photograph")
    assert one.digest() == other.digest()
    assert one.digest() != tags.fingerprint().digest()
    assert tagger(uuid7(), None).fingerprint().digest() != tags.fingerprint().digest()


def test_tagger_keeps_its_key() -> None:
    subject = uuid7()
    tags = tagger(subject, None)
    key = keys.open_key(TagKey.objects.filter(subject_id=subject).all)[1]
    assert key.hex() not in repr(tags)
    assert repr(tags) == str(tags) == "Tagger(sealed)"
    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            leak(tags)


def test_destroyed_tag_key_is_never_made_again() -> None:
    subject, purpose = uuid7(), uuid7()
    tagger(subject, purpose)
    other = tagger(subject, None).subject()
    destroy_tag_key(subject, purpose)
    destroy_tag_key(subject, purpose)
    for _ in range(2):
        with pytest.raises(KeyDestroyed):
            tagger(subject, purpose)
    assert tagger(subject, None).subject() == other
    assert TagKey.objects.get(subject_id=subject, purpose_id=purpose).wrapped is None


def test_tags_outlive_a_rotation() -> None:
    subject, purpose = uuid7(), uuid7()
    before = tagger(subject, purpose).subject(), index(purpose, "reference", "P-07")
    credential = seal_credential("totp", b"secret")
    rotate()
    assert (tagger(subject, purpose).subject(), index(purpose, "reference", "P-07")) == before
    assert open_credential("totp", credential) == b"secret"


@pytest.mark.parametrize("purpose", [None, uuid7()])
def test_two_at_once_make_one_tag_key(purpose: object) -> None:
    subject = uuid7()

    def make(_: int) -> bytes:
        try:
            return tagger(subject, purpose).subject() + index(purpose, "email", "a")  # type: ignore[arg-type]  # parametrized
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        made = set(pool.map(make, range(8)))
    assert len(made) == 1
    assert TagKey.objects.filter(subject_id=subject).count() == 1


# --- look-up index -----------------------------------------------------------------------------------


def test_index_is_the_same_each_time_and_differs_by_purpose_kind_and_value() -> None:
    purpose = uuid7()
    assert index(purpose, "email", "a@example.org") == index(purpose, "email", "a@example.org")
    made = [
        index(purpose, "email", "a@example.org"),
        index(None, "email", "a@example.org"),
        index(uuid7(), "email", "a@example.org"),
        index(purpose, "reference", "a@example.org"),
        index(purpose, "email", "b@example.org"),
        index(purpose, "emaila", "@example.org"),
    ]
    assert len(set(made)) == len(made)
    assert {len(each) for each in made} == {32}


# --- credentials ---------------------------------------------------------------------------------------


def test_credential_opens_under_its_label_only() -> None:
    sealed = seal_credential("totp", b"secret")
    assert "secret" not in sealed
    assert open_credential("totp", sealed) == b"secret"
    with pytest.raises(Tampered):
        open_credential("recovery", sealed)


@pytest.mark.parametrize("bad", ["", "not base64!", "AAAA", "ä"])
def test_changed_credential_does_not_open(bad: str) -> None:
    sealed = seal_credential("totp", b"secret")
    flipped = ("B" if sealed[0] == "A" else "A") + sealed[1:]
    for changed in (bad, flipped, sealed[:-4]):
        with pytest.raises(Tampered):
            open_credential("totp", changed)


def test_credentials_and_records_never_open_as_each_other() -> None:
    place = a_place()
    data_key = keys.open_data_key(place.key_id, place.unit)
    row, credential_key = keys.open_key(ServiceKey.objects.filter(use="credential").all)
    for key, key_id in ((data_key, place.key_id), (credential_key, row.id)):
        record = aead.seal(Label.RECORD, key, key_id, b"same place", b"happy")
        with pytest.raises(Tampered):
            aead.unseal(Label.CREDENTIAL, key, key_id, b"same place", record)
    assert not DataKey.objects.filter(id=row.id).exists()
