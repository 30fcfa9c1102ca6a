"""Resumable uploads for programs, by the tus protocol 1.0.0: ``/api/v1/uploads/``."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.actors import Actor, actor_of
from accounts.addresses import address
from accounts.models import Scope
from accounts.permissions import HasScope
from accounts.problems import PROBLEMS, Problem, codes
from consent.errors import ConsentRefused
from consent.models import Purpose
from consent.request_keys import is_key
from emotion import tus
from emotion.api import RECEIVING, whom
from emotion.errors import EmotionError, NotFound, UploadInvalid
from emotion.probing import largest
from emotion.reservations import new_idempotency_key
from emotion.resumable import Standing, begin, end_upload, find_upload, standing
from vault.errors import StorageFull

UPLOAD = Scope.RECORDINGS_UPLOAD
OVERRIDE = "X-HTTP-Method-Override"


def header(name: str, what: str, kind: Any = str, *, required: bool = False) -> OpenApiParameter:
    """A header of the protocol, for the OpenAPI document."""
    return OpenApiParameter(
        name, kind, OpenApiParameter.HEADER, required=required, description=what
    )


SPEAKS = OpenApiParameter(
    "Tus-Resumable",
    str,
    OpenApiParameter.HEADER,
    required=True,
    enum=[tus.VERSION],
    description="The version of the protocol; every answer says it too.",
)
OFFSET = header(
    "Upload-Offset", "Where the bytes begin: how far the upload is.", int, required=True
)
CHECKSUM = header(
    "Upload-Checksum",
    "`sha1` or `sha256`, a space, and the digest of this body in base64. All of the body is thrown away "
    "(460) when it differs.",
)
LENGTH = header("Upload-Length", "How many bytes the file has.", int, required=True)
METADATA = header(
    "Upload-Metadata",
    "Names and base64 values, separated by commas: `subject` (your own reference for the person), "
    "`purpose`, and if you like `markers` (see recordings) and `idempotency-key`. Others are ignored and "
    "not kept. Never sent back, because it names a person.",
    required=True,
)
KEY = header(
    "Idempotency-Key",
    "Any string of at most 128 characters: the same key again finds the same upload. Without one, each "
    "request begins another upload.",
)
BODY = {tus.BYTES: OpenApiTypes.BINARY}
BROUGHT = {
    204: OpenApiResponse(
        description="Taken. `Upload-Offset` says how far the upload is; when it is finished, "
        "`Recording-Location` is the recording's address."
    ),
    410: OpenApiResponse(Problem, "Not finished in time, or erased."),
    423: OpenApiResponse(Problem, "Another request is sending to it."),
    tus.MISMATCH: OpenApiResponse(Problem, "The bytes are not those of the checksum."),
    **dict.fromkeys((400, 409, 412, 413, 415, 422, 429, 503, 507), Problem),
    **PROBLEMS,
}

BROUGHT_CODES = codes(
    "tus-version",
    "content-type",
    "upload-offset-mismatch",
    "upload-held",
    "upload-expired",
    "erased",
    "key-destroyed",
    "checksum-mismatch",
    *RECEIVING,
)


class TusView(APIView):
    """What the protocol wants of each address: its version in and out, and methods by a header."""

    permission_classes = (HasScope,)
    parser_classes = ()  # bodies are read as a stream, never spooled
    scopes: dict[str, Scope]

    def initialize_request(self, request: Any, *args: Any, **kwargs: Any) -> Request:
        """A method that a proxy would not let through may stand in a header of a POST."""
        override = request.headers.get(OVERRIDE, "")
        if request.method == "POST" and override in self.scopes:
            request.method = override
        return super().initialize_request(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """After the key and its scope, the version."""
        super().initial(request, *args, **kwargs)
        if request.method != "OPTIONS":
            tus.require_version(request.headers)

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        """Errors too say what is spoken here."""
        answer = tus.spoken(super().finalize_response(request, response, *args, **kwargs))
        if answer.status_code == 429:
            answer.headers.setdefault("Retry-After", "60")
        return answer

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """What this server can do; the largest file is the study's."""
        purpose = Purpose.objects.get(pk=str(actor_of(request).purpose_id))
        return Response(status=204, headers=tus.abilities(largest(purpose.kind)))


def told(request: Request, status: int, found: Standing) -> Response:
    """An answer about an upload, with its recording's address when there is one."""
    headers = tus.state(found)
    if found.recording is not None:
        headers["Recording-Location"] = address(request, "api_recording", found.recording.id)
    return Response(status=status, headers=headers)


def first_bytes(request: Request, actor: Actor, upload_id: UUID, *, named: bool) -> Standing:
    """Take what came with the beginning. Refused, it ends what has no key: nobody heard its address."""
    try:
        return tus.receive(request._request, actor, upload_id, offset=0)
    except (ConsentRefused, EmotionError, StorageFull):
        if not named:
            with suppress(NotFound):  # what the study does not take has ended by itself
                end_upload(actor, upload_id)
        raise


class Uploads(TusView):
    """Begin a resumable upload."""

    scopes = {"POST": UPLOAD, "OPTIONS": UPLOAD}

    @extend_schema(
        operation_id="uploads_create",
        summary="Begin a resumable upload",
        request=BODY,
        parameters=[SPEAKS, LENGTH, METADATA, KEY],
        responses={
            201: OpenApiResponse(
                description="Begun. `Location` is the upload's address, `Upload-Expires` until when it "
                "must be finished. With the first bytes in the body, `Upload-Offset` says how many were "
                "taken."
            ),
            **{status: what for status, what in BROUGHT.items() if status != 204},
        },
        extensions=BROUGHT_CODES,
    )
    def post(self, request: Request) -> Response:
        """Begin an upload of a photograph or film (tus: creation, creation-with-upload)."""
        actor, headers = actor_of(request), request.headers
        length, fields = tus.length_of(headers), tus.metadata(headers)
        key = headers.get("Idempotency-Key") or fields.get("idempotency-key")
        if key is not None and not is_key(key):
            raise UploadInvalid("Idempotency-Key must have 1 to 128 characters.")
        subject = whom(actor, fields, "in Upload-Metadata")
        found = begin(
            actor,
            subject,
            UUID(fields["purpose"]),
            length=length,
            idempotency_key=key or new_idempotency_key(),
            markers=fields.get("markers", ""),
            whole=request._request.read if tus.brings_all(headers, length) else None,
        )
        if tus.brings_bytes(headers) and found.offset == 0:
            found = first_bytes(request, actor, found.upload_id, named=key is not None)
        answer = told(request, 201, found)
        answer["Location"] = address(request, "api_upload", found.upload_id)
        return answer


class UploadDetail(TusView):
    """One resumable upload; HEAD says how far it is."""

    scopes = {"HEAD": UPLOAD, "PATCH": UPLOAD, "DELETE": UPLOAD, "OPTIONS": UPLOAD}

    @extend_schema(
        operation_id="uploads_standing",
        summary="How far an upload is",
        parameters=[SPEAKS],
        responses={
            200: OpenApiResponse(
                description="`Upload-Offset` says how many bytes are here, `Upload-Length` how many there "
                "will be; when it is finished, `Recording-Location` is the recording's address."
            ),
            410: OpenApiResponse(Problem, "Not finished in time, or erased."),
            412: Problem,
            **PROBLEMS,
        },
        extensions=codes("tus-version", "upload-expired", "erased", "key-destroyed"),
    )
    def head(self, request: Request, upload_id: UUID) -> Response:
        """How far it is; asking makes no entry."""
        found = standing(find_upload(actor_of(request), upload_id))
        answer = told(request, 200, found)
        answer["Upload-Length"] = str(found.length)
        return answer

    @extend_schema(
        operation_id="uploads_append",
        summary="Send the next bytes of an upload",
        request=BODY,
        parameters=[SPEAKS, OFFSET, CHECKSUM],
        responses=BROUGHT,
        extensions=BROUGHT_CODES,
    )
    def patch(self, request: Request, upload_id: UUID) -> Response:
        """Send the next bytes; with the last of them the recording is made and its analysis queued."""
        actor, headers = actor_of(request), request.headers
        offset = tus.whole(headers, "Upload-Offset")
        return told(request, 204, tus.receive(request._request, actor, upload_id, offset=offset))

    @extend_schema(
        operation_id="uploads_terminate",
        summary="End an upload that is not finished",
        parameters=[SPEAKS],
        responses={
            204: OpenApiResponse(description="Ended; what had come is gone."),
            409: OpenApiResponse(Problem, "It is finished: a recording now."),
            **dict.fromkeys((412, 429, 503), Problem),
            **PROBLEMS,
        },
        extensions=codes("tus-version", "upload-stored"),
    )
    def delete(self, request: Request, upload_id: UUID) -> Response:
        """End an unfinished upload: its key is destroyed (tus: termination)."""
        end_upload(actor_of(request), upload_id)
        return Response(status=204)
