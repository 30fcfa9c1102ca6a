"""How an API client says who it is: ``Authorization: Bearer cns_<prefix>_<secret>``."""

from __future__ import annotations

import json
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.request import Request

from accounts.actors import Actor, actor_for_client
from accounts.client_keys import find_key, note_use
from accounts.counting import count
from accounts.limits import REFUSALS, requests_limit
from accounts.models import ApiKey
from accounts.networks import within
from audit_log.actions import Action, Outcome, ReasonCode
from audit_log.entries import Draft
from audit_log.log import append_durable

SCHEME = "Bearer"


class ApiKeyAuthentication(BaseAuthentication):
    """``request.user`` and ``request.auth`` become the client's Actor.

    Wrong, expired and revoked keys get the same answer, and so does a right key from a network that the
    client does not come from: whoever tries a stolen key elsewhere does not learn that it is one. Such a
    refusal is logged under the client's name, at most ten in an hour for a key and a reason; a wrong key
    names nobody and opens nothing. What is asked with a right key counts, whatever comes of it, as one
    request of its client.
    """

    def authenticate(self, request: Request) -> tuple[Actor, Actor] | None:
        """The client behind the key; None without an Authorization header of this scheme.

        Raises AuthenticationFailed, and Throttled for a client that has asked too often.
        """
        scheme, _space, key = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != SCHEME.lower():
            return None
        found = find_key(key.strip())
        if found is None:
            raise not_valid()
        if why := refusal(found, request):
            note_refusal(found, why)
            raise not_valid()
        note_use(found)
        note_use(found.client)
        counted = count(requests_limit(), str(found.client_id))
        if not counted.within:
            raise Throttled(counted.reset)
        actor = actor_for_client(found.client, found.prefix)
        return actor, actor

    def authenticate_header(self, request: Request) -> str:
        """What a 401 answer asks for."""
        return f'{SCHEME} realm="api"'


def refusal(key: ApiKey, request: Request) -> str:
    """Why a key that exists is not accepted now, in a word of a closed list; nothing when it is."""
    if not key.is_live or not key.client.is_live:
        taken_back = key.revoked_at is not None or key.client.revoked_at is not None
        return "revoked" if taken_back else "expired"
    return "" if within(key.client.networks, request._request) else "network"


def not_valid() -> AuthenticationFailed:
    """The one answer to every key that is not accepted."""
    return AuthenticationFailed(_("This key is not valid."), code="invalid-key")


def note_refusal(key: ApiKey, why: str) -> None:
    """Log that a key was not accepted, unless that was said often enough within the hour.

    Counted for the key, not for the address: whoever fails elsewhere a thousand times cannot hide from the
    log that a stolen key is tried. And the headers are silent about it, as they are of a wrong key.
    """
    if not count(REFUSALS, f"{key.prefix}:{why}", told=False).within:
        return
    detail = json.dumps({"key": key.prefix, "why": why}, separators=(",", ":")).encode()
    append_durable(
        Draft(
            action=Action.LOGIN_FAIL,
            actor=actor_for_client(key.client).log_name(),
            outcome=Outcome.REFUSED,
            reason=ReasonCode.BAD_CREDENTIALS,
            purpose_id=key.client.purpose_id,
            detail=detail,
        )
    )


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # its metaclass
    """How the OpenAPI document describes the key."""

    target_class = "accounts.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """An HTTP bearer scheme with our own key format."""
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "cns_<prefix>_<secret>",
            "description": str(_("The key of an API client, bound to one purpose.")),
        }
