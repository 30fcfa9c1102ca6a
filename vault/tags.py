"""Tags: how the log names a data subject, a consent record or an object without naming anybody.

A tag is HMAC-SHA256 under the tag key of one (subject, purpose), with a label for each kind of
thing: ``HMAC(tag key, "consentry/tag/<kind>/v1" ‖ 0x00 ‖ length-prefixed fields)``. The tag key
outlives the data keys, until the last erasure entry was written and offered to the subject. Then
it is destroyed, and the tags link to no one: a keyed hash of an id cannot be tried out without the
key.
"""

from __future__ import annotations

import hmac
from contextlib import suppress
from functools import partial
from typing import Any, NoReturn
from uuid import UUID

from django.db import IntegrityError
from django.db.models import UUIDField

from audit_log.prepared import Given, Prepared, Whole
from vault import keys
from vault.aead import encode_fields
from vault.errors import KeyDestroyed, KeyMissing
from vault.models import TagKey
from vault.routing import KEYSTORE


class Tagger:
    """Makes the tags of one data subject in one purpose. Holds the tag key, and never shows it."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key

    def subject(self) -> bytes:
        """The tag of the data subject, 32 bytes."""
        return self._tag("subject")

    def consent_record(self, id: UUID) -> bytes:
        """The tag of a consent record, 32 bytes."""
        return self._tag("consent-record", id.bytes)

    def object(self, kind: str, id: UUID) -> bytes:
        """The tag of a recording, an analysis or whatever ``kind`` names, 32 bytes."""
        return self._tag("object", kind.encode(), id.bytes)

    def fingerprint(self) -> hmac.HMAC:
        """A keyed hash to feed a body to with ``update``; ``digest`` gives 32 bytes.

        Equal bodies give equal fingerprints within one (subject, purpose) and nowhere else.
        """
        return hmac.new(self._key, label("fingerprint"), "sha256")

    def _tag(self, kind: str, *fields: bytes) -> bytes:
        return hmac.digest(self._key, label(kind) + encode_fields(fields), "sha256")

    def __repr__(self) -> str:
        return "Tagger(sealed)"

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("a tagger holds a key and is not to be copied or stored")


def label(kind: str) -> bytes:
    """What keeps the tags of one kind apart from those of every other kind."""
    return f"consentry/tag/{kind}/v1".encode() + b"\x00"


IN_A_PURPOSE = Prepared(
    Whole(TagKey),
    lambda: TagKey.objects.filter(
        subject_id=Given("subject_id", UUIDField()), purpose_id=Given("purpose_id", UUIDField())
    ),
    KEYSTORE,
)
OF_THE_ACCOUNT = Prepared(
    Whole(TagKey),
    lambda: TagKey.objects.filter(subject_id=Given("subject_id", UUIDField()), purpose_id=None),
    KEYSTORE,
)


def tagger(subject_id: UUID, purpose_id: UUID | None) -> Tagger:
    """The tagger of this subject in this purpose (None: the account).

    Makes the tag key when there never was one, which writes to the keystore: do not call it first
    under a lock of the main database. Raises KeyDestroyed once the tag key is gone.
    """
    if purpose_id is None:
        read = partial(OF_THE_ACCOUNT.all, subject_id=subject_id)
    else:
        read = partial(IN_A_PURPOSE.all, subject_id=subject_id, purpose_id=purpose_id)
    with suppress(KeyMissing):
        return Tagger(keys.open_key(read)[1])
    try:
        return Tagger(keys.create(TagKey(subject_id=subject_id, purpose_id=purpose_id)))
    except IntegrityError:
        # Another process made it in between: there is one key, and it is that one.
        return Tagger(keys.open_key(read)[1])


def tagger_if_alive(subject_id: UUID, purpose_id: UUID | None) -> Tagger | None:
    """The same; None once the tag key is gone."""
    try:
        return tagger(subject_id, purpose_id)
    except KeyDestroyed:
        return None


def destroy_tag_key(subject_id: UUID, purpose_id: UUID | None) -> None:
    """Destroy the tag key: from now on the tags of this subject in this purpose link to no one.

    Safe to repeat. A tag key is never made again for the same subject and purpose.
    """
    keys.entomb(TagKey.objects.filter(subject_id=subject_id, purpose_id=purpose_id))
