"""The API of batches: many photographs in one request, each answered for itself."""

from __future__ import annotations

from functools import partial
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.actors import actor_of
from accounts.models import Scope
from accounts.permissions import HasScope
from accounts.problems import PROBLEMS, Problem, codes
from emotion.api import (
    IDEMPOTENCY_KEY,
    RecordingOutput,
    UploadInput,
    begin_upload,
    idempotency_key,
    recording_json,
)
from emotion.batches import Batch, receive_batch
from emotion.models import Analysis


class BatchInput(UploadInput):
    """Groups of fields, each before its file; ``purpose`` once, before the first one."""

    key = serializers.CharField(
        required=False,
        max_length=128,
        help_text="The Idempotency-Key of this file alone, as of a single upload. Without one it is made "
        "of the batch's and the file's place.",
    )


class BatchItem(serializers.Serializer[Any]):
    """What became of one file."""

    status = serializers.IntegerField(help_text="As a single upload would have been answered.")
    recording = RecordingOutput(allow_null=True)
    problem = Problem(allow_null=True)


class BatchOutput(serializers.Serializer[Any]):
    """One answer for each file, in their order."""

    results = BatchItem(many=True)


class RecordingsBatch(APIView):
    """Upload many recordings."""

    permission_classes = (HasScope,)
    scopes = {"POST": Scope.RECORDINGS_UPLOAD}
    parser_classes = ()  # the body is read as a stream by emotion.batches, never spooled

    @extend_schema(
        operation_id="recordings_create_batch",
        summary="Upload many recordings",
        description="Many photographs in one request. Each is gated, sealed and answered for itself; what "
        "was taken stays when the rest never comes.",
        request={"multipart/form-data": BatchInput},
        parameters=[IDEMPOTENCY_KEY],
        responses={200: BatchOutput, **dict.fromkeys((400, 503), Problem), **PROBLEMS},
        extensions=codes("upload-invalid"),
    )
    def post(self, request: Request) -> Response:
        """Take the files in, one after the other."""
        key, actor = idempotency_key(request), actor_of(request)
        batch = Batch(key, partial(begin_upload, actor), partial(self.told, request))
        return Response({"results": receive_batch(request._request, batch)})

    def told(self, request: Request, outcome: Analysis | Exception) -> dict[str, Any] | None:
        """What is told of one file: its recording, or the problem that a single upload would have got."""
        if isinstance(outcome, Analysis):
            shown = recording_json(request, outcome.recording)
            return {"status": status.HTTP_202_ACCEPTED, "recording": shown, "problem": None}
        answer = self.get_exception_handler()(outcome, self.get_exception_handler_context())
        if answer is None:
            return None
        return {"status": answer.status_code, "recording": None, "problem": answer.data}
