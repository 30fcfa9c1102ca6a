"""The keys of API clients: checking one, making a second for a rotation, taking one back.

A key is ``cns_<prefix>_<secret>``: the prefix finds the row, the secret has 256 random bits. With
that much entropy one SHA-256 is as good as a slow hash, and the key is shown exactly once. A client has
at most two live keys, so that its program can go over to the new one before the old one ends.
"""

from __future__ import annotations

import hmac
import json
import secrets
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from django.db import transaction
from django.db.models import CharField, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from accounts.errors import InvalidClient, KeyInUse, TooManyKeys, UnknownClient, UnknownKey
from accounts.models import ApiClient, ApiKey, AuditorToken
from audit_log.actions import Action
from audit_log.entries import Draft
from audit_log.log import append
from audit_log.prepared import Given, Prepared, Whole

MARK = "cns"
AT_MOST = 2
USE_RESOLUTION = timedelta(minutes=1)


def hash_secret(secret: str) -> str:
    """The form in which a secret is kept: SHA-256 in hexadecimal."""
    return sha256(secret.encode()).hexdigest()


def new_key(actor: Actor, client: ApiClient, expires_at: datetime) -> tuple[ApiKey, str]:
    """A row, not saved yet, and the key's text, which cannot be shown again."""
    secret = secrets.token_urlsafe(32)
    key = ApiKey(
        client=client,
        prefix=secrets.token_hex(5),
        secret_hash=hash_secret(secret),
        expires_at=expires_at,
        created_by_id=actor.id if actor.kind == "operator" else None,
    )
    return key, f"{MARK}_{key.prefix}_{secret}"


def live_keys(client_id: UUID | None) -> QuerySet[ApiKey]:
    """The keys of a client that are accepted now, the oldest first."""
    now = timezone.now()
    keys = ApiKey.objects.filter(client_id=client_id, revoked_at=None, expires_at__gt=now)
    return keys.order_by("created_at")


def add_key(
    actor: Actor, client_id: UUID, expires_at: datetime | None = None
) -> tuple[ApiKey, str]:
    """Make a second key; it ends with the client unless an earlier end is given.

    Raises UnknownClient, TooManyKeys when there are two live ones, and InvalidClient for a client that has
    ended or an end that is past or later than the client's own.
    """
    with transaction.atomic():
        client = lock_client(client_id)
        ends = expires_at or client.expires_at
        if not client.is_live:
            raise InvalidClient(_("This API client has ended; make a new one."))
        if not timezone.now() < ends <= client.expires_at:
            raise InvalidClient(_("A key ends in the future, and no later than its client."))
        if live_keys(client.id).count() >= AT_MOST:
            raise TooManyKeys(_("There are two keys already; take one back first."))
        key, text = new_key(actor, client, ends)
        key.save(force_insert=True)
        append(about(Action.CLIENT_KEY_CREATE, actor, key))
    return key, text


def revoke_key(actor: Actor, client_id: UUID, prefix: str) -> ApiKey:
    """Take one key back, at once; the client's other key goes on.

    Raises UnknownKey for one that is not live or not this client's, and KeyInUse when a client would take
    back the very key that it uses.
    """
    with transaction.atomic():
        lock_client(client_id)
        key = live_keys(client_id).select_related("client").filter(prefix=prefix).first()
        if key is None:
            raise UnknownKey(_("There is no such key."))
        if actor.kind == "client" and actor.key == key.prefix:
            raise KeyInUse(_("This is the key that you use; take it back with the other one."))
        key.revoked_at = timezone.now()
        key.save(update_fields=["revoked_at"])
        append(about(Action.CLIENT_KEY_REVOKE, actor, key))
    return key


def lock_client(client_id: UUID) -> ApiClient:
    """The client's row, locked, so that two who make a key at once do not make a third; UnknownClient."""
    client = ApiClient.objects.select_for_update().filter(id=client_id).first()
    if client is None:
        raise UnknownClient(_("There is no such API client."))
    return client


def about(action: Action, actor: Actor, key: ApiKey) -> Draft:
    """An entry that names a key by its random prefix, so that a restore can take it back again."""
    detail = json.dumps({"key": key.prefix}, separators=(",", ":")).encode()
    purpose = key.client.purpose_id
    return Draft(action=action, actor=actor.log_name(), purpose_id=purpose, detail=detail)


BY_PREFIX = Prepared(
    Whole(ApiKey, "client"),
    lambda: ApiKey.objects.filter(prefix=Given("prefix", CharField())).order_by(),
)


def find_key(text: str) -> ApiKey | None:
    """The key with this text, live or not, with its client; None when there is none."""
    prefix, secret = split_key(MARK, text)
    key = BY_PREFIX.first(prefix=prefix) if secret else None
    return key if key and fits(secret, key.secret_hash) else None


def split_key(mark: str, key: str) -> tuple[str, str]:
    """Prefix and secret of ``<mark>_<prefix>_<secret>``; empty for anything else."""
    given, _first, rest = key.partition("_")
    prefix, _second, secret = rest.partition("_")
    return (prefix, secret) if given == mark and secret else ("", "")


def fits(secret: str, secret_hash: str) -> bool:
    """Whether this is the secret that was hashed; how long it takes says nothing."""
    return hmac.compare_digest(secret_hash, hash_secret(secret))


def note_use(used: ApiKey | ApiClient | AuditorToken) -> None:
    """Note when something was last used, to the minute: a busy client costs no write each time."""
    now = timezone.now()
    if used.last_used_at is not None and now - used.last_used_at < USE_RESOLUTION:
        return
    stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - USE_RESOLUTION)
    type(used)._default_manager.filter(stale, pk=used.pk).update(last_used_at=now)
