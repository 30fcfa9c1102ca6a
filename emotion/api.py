"""The API of recordings: uploading one, listing and watching them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.actors import Actor, actor_of
from accounts.addresses import address
from accounts.etags import StateView
from accounts.lists import LIST_PROBLEMS, PAGING, page_of
from accounts.models import Scope
from accounts.pages import page_at_once
from accounts.permissions import HasScope
from accounts.problems import GATE, PROBLEMS, Problem, codes
from consent.models import DataSubject, SubjectReference
from consent.request_keys import is_key
from consent.subjects import find_reference
from emotion.errors import NotFound, UploadInvalid
from emotion.filters import RecordingFilters, recordings_asked_for
from emotion.inference.media import MediaCode
from emotion.intake import receive_upload
from emotion.models import Analysis, AnalysisState, MediaState, Recording
from emotion.results import find_recording
from emotion.uploads import Receiving

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    required=True,
    description="Any string of at most 128 characters. The same key with the same request finds what the "
    "first one made; with another it is refused. Only a keyed hash of it is kept.",
)


RECEIVING = (
    "upload-invalid",
    "idempotency-mismatch",
    "uploads-disputed",
    "too-many-uploads",
    "queue-full",
    "storage-full",
    "decoder-killed",
    *GATE,
    *(code.value for code in MediaCode),
)
"""With which the bytes of an upload are refused, whichever way they come."""
UPLOAD_CODES = codes("idempotency-in-progress", *RECEIVING)


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
    recording = serializers.UUIDField()
    state = serializers.ChoiceField(choices=AnalysisState.values)
    reason = serializers.CharField(help_text="Why it ended without a result; else empty.")
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
    subject = serializers.UUIDField(
        allow_null=True, help_text="The opaque id of the person; null when it is gone."
    )
    media_type = serializers.CharField(help_text="By its bytes, not as declared.")
    seconds = serializers.FloatField(
        allow_null=True, help_text="Of a film whose length is known; else null."
    )
    media_state = serializers.ChoiceField(choices=MediaState.values)
    created_at = serializers.DateTimeField()
    retain_until = serializers.DateTimeField()
    disputed_at = serializers.DateTimeField(
        allow_null=True,
        help_text="Since when the person says that this is not them; it is closed then, and you can "
        "upload nothing more for them until the study's staff have answered.",
    )
    erased_at = serializers.DateTimeField(allow_null=True)
    analyses = AnalysisOutput(many=True)


OF_A_RECORDING = (
    "media_type",
    "seconds",
    "media_state",
    "created_at",
    "retain_until",
    "disputed_at",
    "erased_at",
)
RECORDING = ("id", "subject_id", "purpose_id", *OF_A_RECORDING)
OF_AN_ANALYSIS = (
    "state",
    "reason",
    "queued_at",
    "finished_at",
    "media_code",
    "progress",
    "expected_at",
    "categories",
)
ANALYSIS = ("id", "recording_id", *OF_AN_ANALYSIS)
"""The columns that are shown. A list reads them alone, and makes no objects of the model from them."""


def analysis_json(request: Request, analysis: Any) -> dict[str, Any]:
    """An analysis as the API shows it: the object, or a row of the columns in ``ANALYSIS``."""
    return {
        "id": analysis.id,
        "url": address(request, "api_analysis", analysis.id),
        "recording": analysis.recording_id,
        **{name: getattr(analysis, name) for name in OF_AN_ANALYSIS},
    }


def recordings_json(request: Request, recordings: Sequence[Any]) -> list[dict[str, Any]]:
    """Recordings as the API shows them: objects, or rows of the columns in ``RECORDING``.

    Two questions, however many there are: their analyses, and the ids by which purposes know their people.
    """
    analyses: dict[UUID, list[dict[str, Any]]] = {each.id: [] for each in recordings}
    rows = Analysis.objects.filter(recording__in=list(analyses)).order_by("id")
    for row in rows.values_list(*ANALYSIS, named=True):
        analyses[row.recording_id].append(analysis_json(request, row))
    people = SubjectReference.objects.filter(
        subject__in={each.subject_id for each in recordings},
        purpose__in={each.purpose_id for each in recordings},
    )
    known = {
        (subject, purpose): id
        for id, subject, purpose in people.values_list("id", "subject_id", "purpose_id")
    }
    return [
        {
            "id": each.id,
            "url": address(request, "api_recording", each.id),
            "subject": known.get((each.subject_id, each.purpose_id)),
            **{name: getattr(each, name) for name in OF_A_RECORDING},
            "analyses": analyses[each.id],
        }
        for each in recordings
    ]


def recording_json(request: Request, recording: Recording) -> dict[str, Any]:
    """One recording as the API shows it."""
    (shown,) = recordings_json(request, [recording])
    return shown


def whom(actor: Actor, fields: dict[str, str], before: str) -> DataSubject:
    """The person whom an upload is about, by the client's own reference; of the client's purpose alone."""
    missing = sorted({"subject", "purpose"} - set(fields))
    if missing:
        raise UploadInvalid(f"Send {' and '.join(missing)} {before}.")
    try:
        purpose_id = UUID(fields["purpose"])
    except ValueError:
        raise UploadInvalid("purpose must be a UUID; something else came.") from None
    if purpose_id != actor.purpose_id:
        raise NotFound("There is no such purpose.")
    return find_reference(purpose_id, fields["subject"]).subject


def begin_upload(actor: Actor, key: str, fields: dict[str, str]) -> Receiving:
    """Find whom the upload is about and ask the gate, before the first byte of the file is taken."""
    subject = whom(actor, fields, "before 'file'")
    return Receiving(actor, subject, UUID(fields["purpose"]), key, fields.get("markers", ""))


def idempotency_key(request: Request) -> str:
    """The key that the client has chosen for this request. Raises UploadInvalid."""
    key = request.headers.get("Idempotency-Key", "")
    if not is_key(key):
        raise UploadInvalid("Send an Idempotency-Key header of 1 to 128 characters.")
    return key


class Recordings(StateView):
    """List recordings, and upload one."""

    permission_classes = (HasScope,)
    scopes = {"GET": Scope.RECORDINGS_READ, "POST": Scope.RECORDINGS_UPLOAD}

    parser_classes = ()  # the body is read as a stream by emotion.intake, never spooled

    @extend_schema(
        operation_id="recordings_list",
        summary="List recordings",
        description="The recordings of your purpose, newest first.",
        parameters=[RecordingFilters, *PAGING],
        responses={200: page_of(RecordingOutput), 304: None, **LIST_PROBLEMS},
    )
    def get(self, request: Request) -> Response:
        """One page of them; a state makes no entry."""
        mine = Recording.objects.visible_to(actor_of(request))
        rows = recordings_asked_for(request, mine).values_list(*RECORDING, named=True)
        return page_at_once(request, rows, recordings_json)

    @extend_schema(
        operation_id="recordings_create",
        summary="Upload a recording",
        request={"multipart/form-data": UploadInput},
        parameters=[IDEMPOTENCY_KEY],
        responses={
            202: RecordingOutput,
            **dict.fromkeys((400, 409, 413, 415, 422), Problem),
            **PROBLEMS,
        },
        extensions=UPLOAD_CODES,
    )
    def post(self, request: Request) -> Response:
        """Take a photograph or a film in, sealed from the first byte; 202, and the analysis follows."""
        actor = actor_of(request)
        key = idempotency_key(request)
        analysis = receive_upload(request._request, partial(begin_upload, actor, key))
        body = recording_json(request, analysis.recording)
        return Response(
            body, status=status.HTTP_202_ACCEPTED, headers={"Location": str(body["url"])}
        )


class RecordingDetail(StateView):
    """One recording."""

    permission_classes = (HasScope,)
    scopes = {"GET": Scope.RECORDINGS_READ}

    @extend_schema(
        operation_id="recordings_retrieve",
        summary="Look at a recording",
        description="Where a recording stands.",
        responses={200: RecordingOutput, 304: None, **PROBLEMS},
    )
    def get(self, request: Request, recording_id: UUID) -> Response:
        """Its state and its analyses; polling makes no entry."""
        actor = actor_of(request)
        return Response(recording_json(request, find_recording(actor, recording_id)))
