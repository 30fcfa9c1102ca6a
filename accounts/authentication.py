"""How an API client says who it is: ``Authorization: Bearer cns_<prefix>_<secret>``."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts.actors import Actor, actor_for_client
from accounts.clients import find_client, note_use
from audit_log.actions import Action, Outcome, ReasonCode
from audit_log.entries import Draft
from audit_log.log import append_durable

SCHEME = "Bearer"


class ApiKeyAuthentication(BaseAuthentication):
    """``request.user`` and ``request.auth`` become the client's Actor.

    Wrong, expired and revoked keys get the same answer. A right key that is no longer live is
    logged under the client's name; a wrong one names nobody and opens nothing.
    """

    def authenticate(self, request: Request) -> tuple[Actor, Actor] | None:
        """The client behind the key; None without an Authorization header of this scheme."""
        scheme, _space, key = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != SCHEME.lower():
            return None
        client = find_client(key.strip())
        if client is None or not client.is_live:
            if client is not None:
                append_durable(
                    Draft(
                        action=Action.LOGIN_FAIL,
                        actor=actor_for_client(client).log_name(),
                        outcome=Outcome.REFUSED,
                        reason=ReasonCode.BAD_CREDENTIALS,
                        purpose_id=client.purpose_id,
                    )
                )
            raise AuthenticationFailed(_("This key is not valid."), code="invalid-key")
        note_use(client)
        actor = actor_for_client(client)
        return actor, actor

    def authenticate_header(self, request: Request) -> str:
        """What a 401 answer asks for."""
        return f'{SCHEME} realm="api"'


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
