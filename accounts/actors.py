"""Who acts: the one answer that flows and the access log need, whatever the way of signing in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from django.http import HttpRequest
from rest_framework.request import Request

from accounts.models import ApiClient, Role, User

Kind = Literal["operator", "subject", "client", "system", "anonymous"]


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Somebody, or something, that acts.

    Fields:
        id: of the user or API client; None for the system and for the unknown.
        role: of a person; None otherwise.
        purpose_id: the one purpose an API client is bound to; None otherwise.
        scopes: of an API client (values of ``accounts.models.Scope``).
        key: the prefix of the key that an API client signed with.
        name: of a system actor ("worker", "keeper", "setup").
    """

    kind: Kind
    id: UUID | None = None
    role: Role | None = None
    purpose_id: UUID | None = None
    scopes: frozenset[str] = field(default=frozenset())
    key: str = ""
    name: str = ""

    @property
    def is_authenticated(self) -> bool:
        """Whether it is known who this is; Django and DRF ask ``request.user`` for it."""
        return self.kind != "anonymous"

    def log_name(self) -> str:
        """The actor as an entry of the access log names it.

        Raises ValueError for a data subject: the flow writes "subject:<tag>" with the tag of the
        purpose at hand, because a plain id would link one person's entries for ever.
        """
        if self.kind == "subject":
            raise ValueError("a data subject is named by a tag, which only the flow can make")
        if self.kind == "system":
            return f"system:{self.name}"
        return "anonymous" if self.kind == "anonymous" else f"{self.kind}:{self.id}"


ANONYMOUS = Actor(kind="anonymous")
SYSTEM_WORKER = Actor(kind="system", name="worker")
SYSTEM_KEEPER = Actor(kind="system", name="keeper")
SYSTEM_SETUP = Actor(kind="system", name="setup")


def actor_for(user: User) -> Actor:
    """The actor that a signed-in person is."""
    kind: Kind = "operator" if user.is_operator else "subject"
    return Actor(kind=kind, id=user.id, role=Role(user.role))


def actor_for_client(client: ApiClient, key: str = "") -> Actor:
    """The actor that an API client is; ``key``: the prefix of the key that it came with."""
    return Actor(
        kind="client",
        id=client.id,
        purpose_id=client.purpose_id,
        scopes=frozenset(client.scopes),
        key=key,
    )


def actor_of(request: HttpRequest | Request) -> Actor:
    """Who sent this: an API client by its key, a person by their session, or nobody known."""
    if isinstance(authenticated := getattr(request, "auth", None), Actor):
        return authenticated
    user = getattr(request, "user", None)
    if isinstance(user, User) and user.is_active:
        return actor_for(user)
    return ANONYMOUS
