"""The API of exports: asking for many results at once, and taking them away in one archive."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponseBase, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.accepting import ByTheView, chosen
from accounts.actors import actor_of
from accounts.addresses import address
from accounts.lists import LIST_PROBLEMS, PAGING, Moment, OneOf, OpaqueId, page_of
from accounts.models import Scope
from accounts.pages import page
from accounts.permissions import HasScope
from accounts.problems import PROBLEMS, Problem, codes
from emotion.exports import (
    Wanted,
    archive,
    are_people_of,
    find_export,
    own_exports,
    request_export,
)
from emotion.inference.series import MEASURED_IN
from emotion.models import Export, ExportFormat
from emotion.results import parse_reason
from emotion.results_api import ACCESS_REASON

ZIP = "application/zip"
MOST_SUBJECTS = 1000


class MayReadResults(BasePermission):
    """An export is a read of results, so its key must be allowed to read them, too."""

    scope = Scope.RESULTS_READ

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Whether the key has the scope of reading besides the view's own."""
        return self.scope in actor_of(request).scopes


class Several(serializers.ListField):
    """A list whose error is one sentence, whichever of its items is wrong."""

    def to_internal_value(self, data: Any) -> list[Any]:
        """The items; raises ValidationError with what was expected."""
        try:
            return list(super().to_internal_value(data))
        except serializers.ValidationError:
            raise serializers.ValidationError(
                f"Expected a list: {self.help_text} Something else came."
            ) from None


class ExportInput(serializers.Serializer[Any]):
    """What to export. What is left out is not narrowed."""

    format = OneOf(ExportFormat.values, default=ExportFormat.JSON)
    categories = Several(
        child=OneOf(list(MEASURED_IN)),
        required=False,
        help_text=f"Some of {', '.join(MEASURED_IN)}. The summary always comes along.",
    )
    subjects = Several(
        child=OpaqueId(),
        required=False,
        max_length=MOST_SUBJECTS,
        help_text=f"Opaque ids of people, at most {MOST_SUBJECTS}.",
    )
    created_after = Moment(required=False, help_text="Recordings made after this moment.")
    created_before = Moment(required=False, help_text="Recordings made before this moment.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse what is misspelt: it would export everybody."""
        if not set(self.initial_data) <= set(self.fields):
            raise serializers.ValidationError(
                {"": [f"The fields are {', '.join(self.fields)}; another one came."]}
            )
        return attrs


class ExportOutput(serializers.Serializer[Any]):
    """An export that can be fetched."""

    id = serializers.UUIDField()
    url = serializers.URLField()
    content_url = serializers.URLField()
    state = serializers.ChoiceField(
        choices=["ready"], help_text="At once: the archive is made while it is fetched."
    )
    reason = serializers.CharField()
    format = serializers.ChoiceField(choices=ExportFormat.values)
    categories = serializers.ListField(child=serializers.CharField())
    subjects = serializers.ListField(child=serializers.UUIDField(), allow_null=True)
    created_after = serializers.DateTimeField(allow_null=True)
    created_before = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    analyses = serializers.IntegerField(
        help_text="How many it was asked for. The gate decides about each of them when it is fetched."
    )
    sent_at = serializers.DateTimeField(
        allow_null=True, help_text="When it was last fetched to its end."
    )
    included = serializers.IntegerField(help_text="Analyses that went out then.")
    refused = serializers.DictField(
        child=serializers.IntegerField(), help_text="How many were left out then, by code."
    )


def export_json(request: Request, export: Export) -> dict[str, Any]:
    """An export as the API shows it."""
    return {
        "id": export.id,
        "url": address(request, "api_export", export.id),
        "content_url": address(request, "api_export_content", export.id),
        "state": "ready",
        "reason": export.reason,
        "format": export.format,
        "categories": export.categories,
        "subjects": export.subjects,
        "created_after": export.created_after,
        "created_before": export.created_before,
        "created_at": export.created_at,
        "expires_at": export.expires_at,
        "analyses": export.analyses,
        "sent_at": export.sent_at,
        "included": export.included,
        "refused": export.refused,
    }


class ExportView(APIView):
    """What opens the results of many people: both scopes are needed."""

    permission_classes = (HasScope, MayReadResults)
    scopes = dict.fromkeys(("GET", "POST", "DELETE"), Scope.RESULTS_EXPORT)


class Exports(ExportView):
    """A client's exports."""

    @extend_schema(
        operation_id="exports_list",
        summary="List your exports",
        description="Your exports that are not over.",
        parameters=PAGING,
        responses={200: page_of(ExportOutput), **LIST_PROBLEMS},
    )
    def get(self, request: Request) -> Response:
        """One page of them; nothing is opened, so it makes no entry."""
        return page(request, own_exports(actor_of(request)), export_json)

    @extend_schema(
        operation_id="exports_create",
        summary="Ask for an export",
        description="Ask for the results of many people in one archive. Nothing is opened before it is "
        "fetched.",
        request=ExportInput,
        parameters=[ACCESS_REASON],
        responses={201: ExportOutput, **dict.fromkeys((400, 415, 422, 503), Problem), **PROBLEMS},
        extensions=codes("reason-required", "export-too-large"),
    )
    def post(self, request: Request) -> Response:
        """File what is wanted, with its reason and its entry."""
        actor = actor_of(request)
        reason = parse_reason(actor, request.headers.get("Access-Reason", ""))
        given = ExportInput(data=request.data)
        given.is_valid(raise_exception=True)
        wanted = given.validated_data
        subjects = wanted.get("subjects")
        if subjects is not None and not are_people_of(actor, subjects):
            raise serializers.ValidationError(
                {"subjects": ["Expected opaque ids of people of your purpose; another one came."]}
            )
        made = request_export(
            actor,
            Wanted(
                reason=reason,
                format=ExportFormat(wanted["format"]),
                categories=wanted.get("categories", list(MEASURED_IN)),
                subjects=subjects,
                created_after=wanted.get("created_after"),
                created_before=wanted.get("created_before"),
            ),
        )
        body = export_json(request, made)
        headers = {"Location": str(body["url"])}
        return Response(body, status=status.HTTP_201_CREATED, headers=headers)


class ExportDetail(ExportView):
    """One export."""

    @extend_schema(
        operation_id="exports_retrieve",
        summary="Look at an export",
        description="What was asked for, and what the last fetch gave.",
        responses={200: ExportOutput, **PROBLEMS},
    )
    def get(self, request: Request, export_id: UUID) -> Response:
        """Its state; nothing is opened, so it makes no entry."""
        return Response(export_json(request, find_export(actor_of(request), export_id)))

    @extend_schema(
        operation_id="exports_destroy",
        summary="Give an export up",
        description="Give an export up before its time.",
        responses={204: None, **PROBLEMS},
    )
    def delete(self, request: Request, export_id: UUID) -> Response:
        """Forget what was asked for; of what was measured there is nothing in it."""
        find_export(actor_of(request), export_id).delete()
        return Response(status=status.HTTP_204_NO_CONTENT)


class ExportContent(ExportView):
    """The archive of one export."""

    scopes = {"GET": Scope.RESULTS_EXPORT}
    content_negotiation_class = ByTheView

    @extend_schema(
        operation_id="exports_content",
        summary="Fetch an export",
        description="The archive, made while it is sent: the gate is asked about each result then, and "
        "each is an entry that its person sees.",
        responses={
            (200, ZIP): OpenApiTypes.BINARY,
            **dict.fromkeys((406, 429, 503), Problem),
            **PROBLEMS,
        },
        extensions=codes("export-in-progress"),
    )
    def get(self, request: Request, export_id: UUID) -> HttpResponseBase:
        """Send it."""
        actor = actor_of(request)
        chosen(request, (ZIP,))
        content = archive(actor, find_export(actor, export_id))
        headers = {
            "Content-Disposition": 'attachment; filename="consentry-export.zip"',
            "Cache-Control": "no-store",
        }
        return StreamingHttpResponse(content, content_type=ZIP, headers=headers)
