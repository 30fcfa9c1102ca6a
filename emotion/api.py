"""The API of recordings, analyses and results."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from accounts.actors import Actor, actor_of
from accounts.models import Scope
from accounts.permissions import HasScope
from consent.api import PROBLEMS, Problem
from consent.subjects import find_reference
from emotion.errors import NotFound, UploadInvalid
from emotion.intake import receive_upload
from emotion.models import Analysis, Recording
from emotion.results import STATED_REASONS, find_analysis, find_recording, read_result
from emotion.uploads import Receiving

ACCESS_REASON = OpenApiParameter(
    "Access-Reason",
    str,
    OpenApiParameter.HEADER,
    required=True,
    enum=[reason.value for reason in STATED_REASONS],
    description="Why you read it. The data subject sees it in the access log.",
)


class UploadInput(serializers.Serializer[Any]):
    """A photograph or film of one person. Send ``subject`` and ``purpose`` before ``file``."""

    subject = serializers.CharField(max_length=120, help_text="Your own reference for this person.")
    purpose = serializers.UUIDField()
    markers = serializers.CharField(
        required=False,
        help_text="Of a film: what was shown when, as JSON: "
        '{"marks": [{"at": 12.5, "name": "clip 1"}], "baseline": [0, 5]}, times in seconds. Sealed, and '
        "carried through to the result.",
    )
    file = serializers.FileField(
        help_text="JPEG, PNG or WebP; MP4, MOV, WebM or MKV where the purpose takes films."
    )


class AnalysisOutput(serializers.Serializer[Any]):
    """One run on a recording."""

    id = serializers.UUIDField()
    url = serializers.URLField()
    state = serializers.ChoiceField(
        choices=["queued", "running", "done", "refused", "failed", "erased"]
    )
    reason = serializers.CharField(help_text="Why it was refused or failed; else empty.")
    queued_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    media_code = serializers.CharField(help_text="Why the file could not be read; else empty.")
    progress = serializers.FloatField(
        help_text="Of a film: the share that has been read, 0 to 1; 1 when it is done."
    )
    expected_at = serializers.DateTimeField(
        allow_null=True, help_text="Of a film: when it will be done, as far as that can be told."
    )
    categories = serializers.ListField(child=serializers.CharField())


class RecordingOutput(serializers.Serializer[Any]):
    """A recording's state; nothing of what it shows."""

    id = serializers.UUIDField()
    url = serializers.URLField()
    media_type = serializers.CharField(help_text="By its bytes, not as declared.")
    seconds = serializers.FloatField(
        allow_null=True, help_text="Of a film whose length is known; else null."
    )
    media_state = serializers.ChoiceField(choices=["stored", "erased"])
    created_at = serializers.DateTimeField()
    retain_until = serializers.DateTimeField()
    disputed_at = serializers.DateTimeField(
        allow_null=True,
        help_text="Since when the person says that this is not them; it is closed then, and you can "
        "upload nothing more for them until the study's staff have answered.",
    )
    erased_at = serializers.DateTimeField(allow_null=True)
    analyses = AnalysisOutput(many=True)


class ResultOutput(serializers.Serializer[Any]):
    """What the face showed, by data category; every part has a schema of its own with a version."""

    analysis = serializers.UUIDField()
    log_entry = serializers.UUIDField(help_text="The access-log entry of this very read.")
    parts = serializers.DictField(child=serializers.JSONField())


def analysis_json(request: Request, analysis: Analysis) -> dict[str, Any]:
    """An analysis as the API shows it."""
    return {
        "id": analysis.id,
        "url": reverse("api_analysis", [analysis.id], request=request),
        "state": analysis.state,
        "reason": analysis.reason,
        "queued_at": analysis.queued_at,
        "finished_at": analysis.finished_at,
        "media_code": analysis.media_code,
        "progress": analysis.progress,
        "expected_at": analysis.expected_at,
        "categories": analysis.categories,
    }


def recording_json(request: Request, recording: Recording) -> dict[str, Any]:
    """A recording as the API shows it."""
    analyses = recording.analyses.order_by("queued_at")
    return {
        "id": recording.id,
        "url": reverse("api_recording", [recording.id], request=request),
        "media_type": recording.media_type,
        "seconds": recording.seconds,
        "media_state": recording.media_state,
        "created_at": recording.created_at,
        "retain_until": recording.retain_until,
        "disputed_at": recording.disputed_at,
        "erased_at": recording.erased_at,
        "analyses": [analysis_json(request, analysis) for analysis in analyses],
    }


def begin_upload(actor: Actor, key: str, fields: dict[str, str]) -> Receiving:
    """Find whom the upload is about and ask the gate, before the first byte of the file is taken."""
    missing = sorted({"subject", "purpose"} - set(fields))
    if missing:
        raise UploadInvalid(f"Send {' and '.join(missing)} before 'file'.")
    try:
        purpose_id = UUID(fields["purpose"])
    except ValueError:
        raise UploadInvalid("purpose must be a UUID; something else came.") from None
    if purpose_id != actor.purpose_id:
        raise NotFound("There is no such purpose.")
    reference = find_reference(purpose_id, fields["subject"])
    return Receiving(actor, reference.subject, purpose_id, key, fields.get("markers", ""))


class Recordings(APIView):
    """Upload a recording."""

    permission_classes = (HasScope,)
    scopes = {"POST": Scope.RECORDINGS_UPLOAD}

    parser_classes = ()  # the body is read as a stream by emotion.intake, never spooled

    @extend_schema(
        operation_id="recordings_create",
        request={"multipart/form-data": UploadInput},
        parameters=[
            OpenApiParameter(
                "Idempotency-Key",
                str,
                OpenApiParameter.HEADER,
                required=True,
                description="Any string of at most 128 characters. The same key with the same body "
                "finds the same recording; with another body it is refused. Only a keyed hash of it "
                "is kept.",
            )
        ],
        responses={
            202: RecordingOutput,
            **dict.fromkeys((400, 409, 413, 415, 422), Problem),
            **PROBLEMS,
        },
    )
    def post(self, request: Request) -> Response:
        """Take a photograph or a film in, sealed from the first byte; 202, and the analysis follows."""
        actor = actor_of(request)
        key = request.headers.get("Idempotency-Key", "")
        if not 1 <= len(key) <= 128:
            raise UploadInvalid("Send an Idempotency-Key header of 1 to 128 characters.")
        analysis = receive_upload(request._request, partial(begin_upload, actor, key))
        body = recording_json(request, analysis.recording)
        return Response(
            body, status=status.HTTP_202_ACCEPTED, headers={"Location": str(body["url"])}
        )


class RecordingDetail(APIView):
    """One recording."""

    permission_classes = (HasScope,)
    scopes = {"GET": Scope.RECORDINGS_READ}

    @extend_schema(operation_id="recordings_retrieve", responses={200: RecordingOutput, **PROBLEMS})
    def get(self, request: Request, recording_id: UUID) -> Response:
        """Its state and its analyses; polling makes no entry."""
        actor = actor_of(request)
        return Response(recording_json(request, find_recording(actor, recording_id)))


class AnalysisDetail(APIView):
    """One analysis."""

    permission_classes = (HasScope,)
    scopes = {"GET": Scope.RECORDINGS_READ}

    @extend_schema(operation_id="analyses_retrieve", responses={200: AnalysisOutput, **PROBLEMS})
    def get(self, request: Request, analysis_id: UUID) -> Response:
        """Its state; polling makes no entry."""
        actor = actor_of(request)
        return Response(analysis_json(request, find_analysis(actor, analysis_id)))


class ResultDetail(APIView):
    """What an analysis measured."""

    permission_classes = (HasScope,)
    scopes = {"GET": Scope.RESULTS_READ}

    @extend_schema(
        operation_id="analyses_result",
        parameters=[ACCESS_REASON],
        responses={
            200: ResultOutput,
            **dict.fromkeys((400, 409, 410, 503), Problem),
            **PROBLEMS,
        },
    )
    def get(self, request: Request, analysis_id: UUID) -> Response:
        """Open the result: gate, then an entry in the access log, then the answer."""
        actor = actor_of(request)
        opened = read_result(actor, analysis_id, request.headers.get("Access-Reason", ""))
        body = {"analysis": analysis_id, "log_entry": opened.entry_id, "parts": opened.parts}
        return Response(body, headers={"Cache-Control": "no-store"})
