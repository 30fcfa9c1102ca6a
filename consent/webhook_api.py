"""The API of a client's own webhook: where it is told and of what, its secret, and what was sent."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.actors import Actor, actor_of
from accounts.api import own_id
from accounts.lists import PAGING, OneOf, asked_for, page_of
from accounts.models import ApiClient, Scope
from accounts.pages import page
from accounts.permissions import HasScope
from accounts.problems import PROBLEMS, Problem, codes
from consent.errors import NotThere
from consent.models import Delivery, Telling, TellingKind, TellingQuerySet, WebhookEndpoint
from consent.recipients import event_of
from consent.webhooks import disable_webhook, live_webhook, put_webhook, rotate_secret, send_again

KINDS = [kind.value for kind in TellingKind]


class WebhookInput(serializers.Serializer[Any]):
    """Where you are told, and of what."""

    url = serializers.CharField(
        max_length=500, help_text="https, and never an address in a private network."
    )
    types = serializers.ListField(
        child=serializers.ChoiceField(choices=KINDS),
        required=False,
        help_text="Of what you are told; everything that your scopes cover if left out. `erasure.required` "
        "and `consent.withdrawn` are always among them.",
    )


class WebhookOutput(serializers.Serializer[Any]):
    """Your webhook."""

    url = serializers.CharField()
    types = serializers.ListField(child=serializers.ChoiceField(choices=KINDS))
    created_at = serializers.DateTimeField()
    old_secrets_until = serializers.DateTimeField(
        allow_null=True, help_text="Until when everything is signed with an earlier secret too."
    )


class WebhookSecretOutput(WebhookOutput):
    """Your webhook, with its secret if it has just been made: it cannot be shown again."""

    secret = serializers.CharField(
        allow_null=True,
        help_text="`whsec_` and base64, after Standard Webhooks; null when it is as it was.",
    )


class DeliveryFilters(serializers.Serializer[Any]):
    """Which of them to list."""

    type = OneOf(KINDS, required=False)
    state = OneOf(Delivery.values, required=False)


class DeliveryOutput(serializers.Serializer[Any]):
    """One thing that you are told, and how far it is."""

    id = serializers.UUIDField(
        help_text="The `webhook-id` under which it is sent, each time the same."
    )
    type = serializers.CharField(help_text="One of the types of your webhook.")
    event = serializers.DictField(help_text="What is sent.")
    state = serializers.ChoiceField(choices=Delivery.values)
    created_at = serializers.DateTimeField()
    attempts = serializers.IntegerField()
    last_status = serializers.IntegerField(
        allow_null=True, help_text="HTTP status of your last answer; 0: there was none."
    )
    next_attempt_at = serializers.DateTimeField(allow_null=True)
    delivered_at = serializers.DateTimeField(allow_null=True)
    given_up_at = serializers.DateTimeField(allow_null=True)


def webhook_json(webhook: WebhookEndpoint) -> dict[str, Any]:
    """A webhook as the API shows it; its secrets are in no answer but those that made them."""
    return {
        "url": webhook.url,
        "types": webhook.kinds,
        "created_at": webhook.created_at,
        "old_secrets_until": webhook.previous_until,
    }


def delivery_json(_request: Request, telling: Telling) -> dict[str, Any]:
    """Something a client is told, as the API shows it."""
    waits = telling.state == Delivery.WAITING
    return {
        "id": telling.id,
        "type": telling.kind,
        "event": event_of(telling),
        "state": telling.state,
        "created_at": telling.created_at,
        "attempts": telling.attempts,
        "last_status": telling.last_status,
        "next_attempt_at": telling.next_attempt_at if waits else None,
        "delivered_at": telling.delivered_at,
        "given_up_at": telling.given_up_at,
    }


def own_webhook(actor: Actor) -> WebhookEndpoint:
    """The client's own webhook. Raises NotThere."""
    found = live_webhook(own_client(actor).id)
    if found is None:
        raise NotThere("You have no webhook.")
    return found


def own_client(actor: Actor) -> ApiClient:
    """The row of the client that asks."""
    return ApiClient.objects.get(pk=own_id(actor))


def own_deliveries(actor: Actor) -> TellingQuerySet:
    """What the client is told; not what a legal hold postpones, for it is not asked of anybody yet."""
    return Telling.objects.not_held().filter(client_id=actor.id).select_related("erasure")


class Webhook(APIView):
    """Your webhook: at most one."""

    permission_classes = (HasScope,)
    scopes = dict.fromkeys(("GET", "PUT", "DELETE"), Scope.WEBHOOKS_MANAGE)

    @extend_schema(
        operation_id="webhook_retrieve",
        summary="Look at your webhook",
        responses={200: WebhookOutput, **PROBLEMS},
    )
    def get(self, request: Request) -> Response:
        """Where you are told, and of what."""
        return Response(webhook_json(own_webhook(actor_of(request))))

    @extend_schema(
        operation_id="webhook_put",
        summary="Say where you are told",
        description="Say where you are told, and of what. A new address gets a new secret, which "
        "stands in this answer alone; the secret before is no longer used. The change is in the "
        "access log.",
        request=WebhookInput,
        responses={200: WebhookSecretOutput, 201: WebhookSecretOutput, 422: Problem, **PROBLEMS},
        extensions=codes("invalid-webhook"),
    )
    def put(self, request: Request) -> Response:
        """201 when there was none before."""
        actor = actor_of(request)
        given = WebhookInput(data=request.data)
        given.is_valid(raise_exception=True)
        put = put_webhook(
            actor, own_client(actor), given.validated_data["url"], given.validated_data.get("types")
        )
        return Response(
            webhook_json(put.webhook) | {"secret": put.secret},
            status=status.HTTP_201_CREATED if put.is_first else status.HTTP_200_OK,
            headers={"Cache-Control": "no-store"},
        )

    @extend_schema(
        operation_id="webhook_delete",
        summary="Give up your webhook",
        description="Be told nothing more there. What must be erased waits in `GET erasures/`; "
        "what was only a notification and waits is not sent any more.",
        responses={204: None, **PROBLEMS},
    )
    def delete(self, request: Request) -> Response:
        """The secrets are destroyed."""
        actor = actor_of(request)
        disable_webhook(actor, own_webhook(actor))
        return Response(status=status.HTTP_204_NO_CONTENT)


class SecretRotation(APIView):
    """A new secret."""

    permission_classes = (HasScope,)
    scopes = {"POST": Scope.WEBHOOKS_MANAGE}

    @extend_schema(
        operation_id="webhook_rotate_secret",
        description="Make a new secret, which stands in this answer alone. Earlier ones stay "
        "valid beside it for a day: everything is signed with all of them. So an answer that got "
        "lost does no harm: rotate again.",
        request=None,
        responses={200: WebhookSecretOutput, 422: Problem, **PROBLEMS},
        extensions=codes("invalid-webhook"),
    )
    def post(self, request: Request) -> Response:
        """The webhook with its new secret."""
        actor = actor_of(request)
        secret = rotate_secret(actor, own_webhook(actor))
        return Response(
            webhook_json(own_webhook(actor)) | {"secret": secret},
            headers={"Cache-Control": "no-store"},
        )


class Deliveries(APIView):
    """What you were told, and what waits."""

    permission_classes = (HasScope,)
    scopes = {"GET": Scope.WEBHOOKS_MANAGE}

    @extend_schema(
        operation_id="webhook_deliveries_list",
        description="Newest first. Notifications are kept for 30 days, requests to erase for "
        "good. A list makes no entry.",
        parameters=[*PAGING, DeliveryFilters],
        responses={200: page_of(DeliveryOutput), 422: Problem, **PROBLEMS},
    )
    def get(self, request: Request) -> Response:
        """Opaque ids, kinds and times."""
        rows = own_deliveries(actor_of(request))
        asked = asked_for(request, DeliveryFilters)
        if "type" in asked:
            rows = rows.filter(kind=asked["type"])
        if "state" in asked:
            rows = rows.in_state(Delivery(asked["state"]))
        return page(request, rows, delivery_json)


class Replay(APIView):
    """Have something sent once more."""

    permission_classes = (HasScope,)
    scopes = {"POST": Scope.WEBHOOKS_MANAGE}

    @extend_schema(
        operation_id="webhook_deliveries_replay",
        description="Send something once more, at once and from the beginning of the schedule, under "
        "the same id; after a failure you are left in peace for up to half a minute first. Each at "
        "most once a minute, else 429 `replayed-too-soon`. 422 `invalid-webhook` without a webhook, "
        "for an erasure that you have confirmed, and where nothing says any more whom it is about.",
        request=None,
        responses={200: DeliveryOutput, 422: OpenApiResponse(Problem), 429: Problem, **PROBLEMS},
        extensions=codes("invalid-webhook", "replayed-too-soon"),
    )
    def post(self, request: Request, telling_id: UUID) -> Response:
        """It waits again; when it was first delivered stays written."""
        actor = actor_of(request)
        found = own_deliveries(actor).filter(pk=telling_id).first()
        if found is None:
            raise NotThere("There is no such delivery of yours.")
        send_again(actor, found)
        again = own_deliveries(actor).get(pk=found.pk)
        return Response(delivery_json(request, again))
