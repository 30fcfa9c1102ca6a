"""Asking afresh whether a program may still act: what takes long outlives the check of its key.

A key is checked when a request begins. An upload and an export go on for minutes, and a client that was
taken back meanwhile ends there, as if it asked only now.
"""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import CharField, DateTimeField, Exists, OuterRef, Q, QuerySet, UUIDField
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from accounts.errors import ClientEnded
from accounts.models import ApiClient, ApiKey, Scope
from audit_log.prepared import Columns, Given, Prepared


class Held(NamedTuple):
    """What a client may do now."""

    scopes: list[str]


def live_now() -> Q:
    """The condition of what is neither taken back nor over."""
    return Q(revoked_at=None, expires_at__gt=Given("now", DateTimeField()))


def clients() -> QuerySet[ApiClient]:
    """A client, if it is live."""
    return ApiClient.objects.filter(live_now(), pk=Given("client_id", UUIDField()))


def clients_by_key() -> QuerySet[ApiClient]:
    """The same, if the key that it came with is live too."""
    keys = ApiKey.objects.filter(client=OuterRef("pk"), prefix=Given("prefix", CharField()))
    return clients().filter(Exists(keys.filter(live_now())))


ITSELF = Prepared(Columns(Held), clients)
BY_KEY = Prepared(Columns(Held), clients_by_key)


def require_live(actor: Actor, *scopes: Scope) -> None:
    """Raise ClientEnded unless a client, the key that it came with and these scopes of it are live now.

    Whoever is no client passes: the gate asks about people.
    """
    if actor.kind != "client":
        return
    asked = {"client_id": actor.id, "now": timezone.now()}
    held = BY_KEY.first(**asked, prefix=actor.key) if actor.key else ITSELF.first(**asked)
    if held is None or not set(scopes) <= set(held.scopes):
        raise ClientEnded(_("This key is not valid."))


def hold_live(actor: Actor, *scopes: Scope) -> None:
    """The same, and until the transaction ends nobody takes client or key back; many may hold it at once.

    On SQLite the IMMEDIATE transaction is the lock.
    """
    if actor.kind == "client" and connection.features.has_select_for_update:
        hold(actor.id)
    require_live(actor, *scopes)


def hold(client_id: UUID | None) -> None:
    """Lock the client's row, which whoever takes back the client or a key of it locks too."""
    # Django offers FOR UPDATE only, which would make the uploads of a client wait for one another.
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM accounts_apiclient WHERE id = %s FOR SHARE", [client_id])
