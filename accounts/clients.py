"""API clients: making one, checking its key, taking it back.

A key is ``cns_<prefix>_<secret>``: the prefix finds the row, the secret has 256 random bits. With
that much entropy one SHA-256 is as good as a slow hash, and the key is shown exactly once.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from accounts.errors import InvalidClient, UnknownClient
from accounts.models import ApiClient, AuditorToken, Scope
from audit_log.actions import Action
from audit_log.entries import Draft
from audit_log.log import append

MARK = "cns"
USE_RESOLUTION = timedelta(minutes=1)


def hash_secret(secret: str) -> str:
    """The form in which a secret is kept: SHA-256 in hexadecimal."""
    return sha256(secret.encode()).hexdigest()


def create_client(
    actor: Actor, *, name: str, purpose_id: UUID, scopes: Iterable[str], expires_at: datetime
) -> tuple[ApiClient, str]:
    """Make an API client for one purpose and return it with its key, which cannot be shown again.

    Raises InvalidClient for an empty name, no scope or an unknown one, or an end in the past.
    """
    wanted = sorted(set(scopes))
    if not name.strip():
        raise InvalidClient(_("An API client needs a name; got none."))
    if not wanted or not set(wanted) <= set(Scope.values):
        raise InvalidClient(
            _("Expected one or more of %(known)s; got %(got)s.")
            % {"known": ", ".join(Scope.values), "got": ", ".join(wanted) or "-"}
        )
    if expires_at <= timezone.now():
        raise InvalidClient(_("The key would be over before it begins."))
    secret = secrets.token_urlsafe(32)
    client = ApiClient(
        name=name.strip(),
        purpose_id=purpose_id,
        scopes=wanted,
        prefix=secrets.token_hex(5),
        secret_hash=hash_secret(secret),
        expires_at=expires_at,
        created_by_id=actor.id if actor.kind == "operator" else None,
    )
    with transaction.atomic():
        client.save(force_insert=True)
        append(Draft(action=Action.CLIENT_CREATE, actor=actor.log_name(), purpose_id=purpose_id))
    return client, f"{MARK}_{client.prefix}_{secret}"


def revoke_client(actor: Actor, client_id: UUID) -> ApiClient:
    """Take a client's key back, at once. Doing it again changes nothing; raises UnknownClient."""
    with transaction.atomic():
        client = ApiClient.objects.select_for_update().filter(id=client_id).first()
        if client is None:
            raise UnknownClient(_("There is no such API client."))
        if client.revoked_at is None:
            client.revoked_at = timezone.now()
            client.save(update_fields=["revoked_at"])
            append(
                Draft(
                    action=Action.CLIENT_REVOKE,
                    actor=actor.log_name(),
                    purpose_id=client.purpose_id,
                )
            )
    return client


def find_client(key: str) -> ApiClient | None:
    """The client whose key this is, live or not; None when no client has it."""
    prefix, secret = split_key(MARK, key)
    client = ApiClient.objects.filter(prefix=prefix).first() if secret else None
    return client if client and fits(secret, client.secret_hash) else None


def split_key(mark: str, key: str) -> tuple[str, str]:
    """Prefix and secret of ``<mark>_<prefix>_<secret>``; empty for anything else."""
    given, _first, rest = key.partition("_")
    prefix, _second, secret = rest.partition("_")
    return (prefix, secret) if given == mark and secret else ("", "")


def fits(secret: str, secret_hash: str) -> bool:
    """Whether this is the secret that was hashed; how long it takes says nothing."""
    return hmac.compare_digest(secret_hash, hash_secret(secret))


def note_use(used: ApiClient | AuditorToken) -> None:
    """Note when a key was last used, to the minute: a busy client costs no write each time."""
    now = timezone.now()
    stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - USE_RESOLUTION)
    type(used)._default_manager.filter(stale, pk=used.pk).update(last_used_at=now)
