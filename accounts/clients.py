"""API clients: making one, saying from where it may come, taking it back. Each step is in the log."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from accounts.client_keys import lock_client, new_key
from accounts.errors import InvalidClient
from accounts.models import ApiClient, Scope
from accounts.networks import known_networks
from audit_log.actions import Action
from audit_log.entries import Draft
from audit_log.log import append


def create_client(
    actor: Actor,
    *,
    name: str,
    purpose_id: UUID,
    scopes: Iterable[str],
    expires_at: datetime,
    networks: Iterable[str] = (),
) -> tuple[ApiClient, str]:
    """Make an API client for one purpose and return it with its first key, which cannot be shown again.

    Raises InvalidClient for an empty name, no scope or an unknown one, an end in the past, or what is no
    network.
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
    client = ApiClient(
        name=name.strip(),
        purpose_id=purpose_id,
        scopes=wanted,
        networks=known_networks(networks),
        expires_at=expires_at,
        created_by_id=actor.id if actor.kind == "operator" else None,
    )
    key, text = new_key(actor, client, expires_at)
    with transaction.atomic():
        client.save(force_insert=True)
        key.save(force_insert=True)
        append(about(Action.CLIENT_CREATE, actor, client))
    return client, text


def change_networks(actor: Actor, client_id: UUID, networks: Iterable[str]) -> ApiClient:
    """Say from which networks a client's keys are accepted; none: from anywhere.

    Raises UnknownClient, and InvalidClient for what is no network. The same list again changes nothing.
    """
    wanted = known_networks(networks)
    with transaction.atomic():
        client = lock_client(client_id)
        if client.networks != wanted:
            client.networks = wanted
            client.save(update_fields=["networks"])
            append(about(Action.CLIENT_CHANGE, actor, client))
    return client


def revoke_client(actor: Actor, client_id: UUID) -> ApiClient:
    """Take a client back with all its keys, at once. Again changes nothing; raises UnknownClient."""
    with transaction.atomic():
        client = lock_client(client_id)
        if client.revoked_at is None:
            client.revoked_at = timezone.now()
            client.save(update_fields=["revoked_at"])
            append(about(Action.CLIENT_REVOKE, actor, client))
    return client


def about(action: Action, actor: Actor, client: ApiClient) -> Draft:
    """An entry that names a client by its random id, so that a restore can take it back again."""
    detail = json.dumps({"client": str(client.id)}, separators=(",", ":")).encode()
    purpose = client.purpose_id
    return Draft(action=action, actor=actor.log_name(), purpose_id=purpose, detail=detail)
