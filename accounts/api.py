"""The API of an API client about itself: who it is, and its own keys."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.actors import Actor, actor_of
from accounts.client_keys import add_key, live_keys, revoke_key
from accounts.counting import Limit, standing
from accounts.limits import analyses_limit, requests_limit
from accounts.lists import Moment
from accounts.models import ApiClient, ApiKey, Scope
from accounts.permissions import HasLiveKey
from accounts.problems import Problem, codes


class LimitOutput(serializers.Serializer[Any]):
    """How much of something may be done in a stretch of time."""

    quota = serializers.IntegerField()
    window = serializers.IntegerField(help_text="Seconds; stretches begin at multiples of it.")
    left = serializers.IntegerField()
    reset = serializers.IntegerField(help_text="Seconds until the next stretch.")


class LimitsOutput(serializers.Serializer[Any]):
    """What this installation lets one client do."""

    requests = LimitOutput()
    analyses = LimitOutput(help_text="Uploads and repetitions that were begun.")
    uploads_at_once = serializers.IntegerField()
    uploads_per_subject_and_hour = serializers.IntegerField()
    photograph_bytes = serializers.IntegerField(help_text="The largest photograph.")
    film_bytes = serializers.IntegerField(help_text="The largest film.")


class ClientOutput(serializers.Serializer[Any]):
    """The API client whose key signs the request."""

    id = serializers.UUIDField(help_text="By which the access log names it.")
    name = serializers.CharField()
    purpose = serializers.UUIDField(help_text="The one purpose that it is bound to.")
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=list(Scope.values)))
    networks = serializers.ListField(
        child=serializers.CharField(),
        help_text="From where its keys are accepted; empty: from anywhere.",
    )
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    limits = LimitsOutput()


class KeyOutput(serializers.Serializer[Any]):
    """A live key, by its prefix; the key itself is shown once, when it is made."""

    prefix = serializers.CharField(help_text="What stands between `cns_` and the next `_`.")
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True, help_text="To the minute.")
    current = serializers.BooleanField(help_text="Whether it signs this very request.")


class NewKeyOutput(KeyOutput):
    """A key that was just made."""

    key = serializers.CharField(help_text="Shown in this one answer and nowhere else.")


class NewKeyInput(serializers.Serializer[Any]):
    """When the new key ends."""

    expires_at = Moment(
        required=False, help_text="No later than the client itself, which is the default."
    )


def shown(key: ApiKey, actor: Actor) -> dict[str, Any]:
    """A key as the API shows it."""
    return {
        "prefix": key.prefix,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "last_used_at": key.last_used_at,
        "current": key.prefix == actor.key,
    }


def own_id(actor: Actor) -> UUID:
    """The id of the client that acts."""
    if actor.id is None:
        raise TypeError("an API client has an id; got none")
    return actor.id


def limit_shown(limit: Limit, actor: Actor) -> dict[str, int]:
    """How a limit stands for this client."""
    now = standing(limit, str(actor.id))
    return {"quota": limit.quota, "window": limit.window, "left": now.left, "reset": now.reset}


class Self(APIView):
    """Who am I."""

    permission_classes = (HasLiveKey,)

    @extend_schema(
        operation_id="client_retrieve",
        summary="Look at your own client",
        description="What your key opens, until when, and how much you may do. No scope is needed.",
        responses={200: ClientOutput},
    )
    def get(self, request: Request) -> Response:
        """The client behind the key; a state makes no entry."""
        actor = actor_of(request)
        client = ApiClient.objects.get(pk=own_id(actor))
        limits = {
            "requests": limit_shown(requests_limit(), actor),
            "analyses": limit_shown(analyses_limit(), actor),
            "uploads_at_once": settings.CLIENT_UPLOADS_AT_ONCE,
            "uploads_per_subject_and_hour": settings.SUBJECT_UPLOADS_PER_HOUR,
            "photograph_bytes": settings.PHOTO_MAX_BYTES,
            "film_bytes": settings.FILM_MAX_BYTES,
        }
        return Response(
            {
                "id": client.id,
                "name": client.name,
                "purpose": client.purpose_id,
                "scopes": client.scopes,
                "networks": client.networks,
                "created_at": client.created_at,
                "expires_at": client.expires_at,
                "limits": limits,
            }
        )


class Keys(APIView):
    """The client's own keys, at most two at once."""

    permission_classes = (HasLiveKey,)

    @extend_schema(
        operation_id="client_keys_list",
        summary="List your live keys",
        description="One or two, the oldest first. No scope is needed.",
        responses={200: KeyOutput(many=True)},
    )
    def get(self, request: Request) -> Response:
        """The live keys; a list makes no entry."""
        actor = actor_of(request)
        return Response([shown(key, actor) for key in live_keys(actor.id)])

    @extend_schema(
        operation_id="client_keys_create",
        summary="Make a second key",
        description="The key stands in this one answer: keep it, use it, then take the old one back. Never "
        "more than two are live. It is an entry of the access log. No scope is needed.",
        request=NewKeyInput,
        responses={201: NewKeyOutput},
        extensions=codes("too-many-keys", "invalid-client"),
    )
    def post(self, request: Request) -> Response:
        """Make it, with its entry."""
        actor = actor_of(request)
        given = NewKeyInput(data=request.data)
        given.is_valid(raise_exception=True)
        key, text = add_key(actor, own_id(actor), given.validated_data.get("expires_at"))
        body = {**shown(key, actor), "key": text}
        headers = {"Cache-Control": "no-store"}
        return Response(body, status=status.HTTP_201_CREATED, headers=headers)


class KeyDetail(APIView):
    """One of the client's own keys."""

    permission_classes = (HasLiveKey,)

    @extend_schema(
        operation_id="client_keys_destroy",
        summary="Take a key back",
        description="At once and for good. Not the key that signs the request: go over to the new one "
        "first. It is an entry of the access log. No scope is needed.",
        request=None,
        responses={204: None, 404: Problem},
        extensions=codes("key-in-use"),
    )
    def delete(self, request: Request, prefix: str) -> Response:
        """Take it back, with its entry."""
        actor = actor_of(request)
        revoke_key(actor, own_id(actor), prefix)
        return Response(status=status.HTTP_204_NO_CONTENT)
