"""Keyed look-up: finds a sealed e-mail address or reference without a plain copy or hash of it."""

from __future__ import annotations

import hmac
from contextlib import suppress
from functools import partial
from uuid import UUID

from django.db import IntegrityError
from django.db.models import UUIDField

from audit_log.prepared import Given, Prepared, Whole
from vault import keys
from vault.aead import encode_fields
from vault.errors import KeyMissing
from vault.models import ServiceKey, ServiceUse
from vault.routing import KEYSTORE

LABEL = b"consentry/index/v1\x00"


OF_A_PURPOSE = Prepared(
    Whole(ServiceKey),
    lambda: ServiceKey.objects.filter(
        use=ServiceUse.INDEX, purpose_id=Given("purpose_id", UUIDField())
    ),
    KEYSTORE,
)
OF_NO_PURPOSE = Prepared(
    Whole(ServiceKey),
    lambda: ServiceKey.objects.filter(use=ServiceUse.INDEX, purpose_id=None),
    KEYSTORE,
)


def index(purpose_id: UUID | None, kind: str, value: str) -> bytes:
    """The 32 bytes under which ``value`` is filed: HMAC-SHA256 under the purpose's index key.

    The same value gives other bytes in another purpose or as another kind. The value is taken as
    it stands; whoever calls decides about case and spaces. Makes the purpose's index key when
    there never was one.
    """
    key = _index_key(purpose_id)
    return hmac.digest(key, LABEL + encode_fields([kind.encode(), value.encode()]), "sha256")


def _index_key(purpose_id: UUID | None) -> bytes:
    """The index key of a purpose; None: the one that belongs to no purpose."""
    of_a_purpose = partial(OF_A_PURPOSE.all, purpose_id=purpose_id)
    read = OF_NO_PURPOSE.all if purpose_id is None else of_a_purpose
    with suppress(KeyMissing):
        return keys.open_key(read)[1]
    try:
        return keys.create(ServiceKey(use=ServiceUse.INDEX, purpose_id=purpose_id))
    except IntegrityError:
        # Another process made it in between: there is one key, and it is that one.
        return keys.open_key(read)[1]
