"""The API of recipients: which erasures a client still has to carry out, and that it has."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.actors import actor_of
from accounts.permissions import HasLiveKey
from accounts.problems import NO_KEY, Problem
from consent.models import Telling
from consent.recipients import acknowledge, event_of, waiting_for


class ErasureOutput(serializers.Serializer[Any]):
    """One erasure that is asked of you."""

    id = serializers.UUIDField(
        help_text="By which you acknowledge it; a webhook calls it `erasure`."
    )
    subject = serializers.UUIDField(
        allow_null=True, help_text="Opaque id of the person in your purpose."
    )
    purpose = serializers.UUIDField()
    recording = serializers.UUIDField(allow_null=True, help_text="Only this recording; null: all.")
    category = serializers.CharField(
        allow_null=True, help_text="Only what was measured under this category; null: everything."
    )
    requested_at = serializers.DateTimeField()
    acknowledged_at = serializers.DateTimeField(allow_null=True)


def as_output(telling: Telling) -> dict[str, Any]:
    """One erasure as the API shows it; the same words as in the webhook's event."""
    data = event_of(telling)["data"]
    return {
        "id": telling.id,
        "subject": telling.reference_id,
        "purpose": telling.purpose_id,
        "recording": data["recording"],
        "category": data["category"],
        "requested_at": telling.created_at,
        "acknowledged_at": telling.acknowledged_at,
    }


class Erasures(APIView):
    """What is still to be erased; for clients without a webhook, and after a fault of one."""

    permission_classes = (HasLiveKey,)

    @extend_schema(
        operation_id="erasures_list",
        summary="List what you must still erase",
        description="The erasures that you have not acknowledged, oldest first, at most 100: "
        "acknowledge them and ask again. No scope is needed.",
        responses={200: ErasureOutput(many=True), **NO_KEY},
    )
    def get(self, request: Request) -> Response:
        """This client's own open erasures; a list makes no entry."""
        return Response([as_output(each) for each in waiting_for(actor_of(request))])


class Acknowledgement(APIView):
    """A client says that it has erased its copies."""

    permission_classes = (HasLiveKey,)

    @extend_schema(
        operation_id="erasures_acknowledge",
        summary="Say that your copies are erased",
        description="Say that every copy that you had is erased. The person sees it. Doing it again "
        "changes nothing. No scope is needed.",
        request=None,
        responses={
            200: ErasureOutput,
            404: OpenApiResponse(Problem, "It does not exist, or it is not yours."),
            **NO_KEY,
        },
    )
    def post(self, request: Request, telling_id: UUID) -> Response:
        """Note it, with its entry in the access log."""
        return Response(as_output(acknowledge(actor_of(request), telling_id)))
