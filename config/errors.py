"""One table: which error of which room answers with which HTTP status.

Under ``/api/`` errors are RFC 9457 problem details with a stable ``code``; pages get the same status
and message in HTML. What does not exist and what is not yours look alike.
"""

from __future__ import annotations

import logging
from typing import Any

from django.core.exceptions import BadRequest
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from redis.exceptions import RedisError
from rest_framework.exceptions import (
    APIException,
    MethodNotAllowed,
    NotFound,
    PermissionDenied,
    Throttled,
    UnsupportedMediaType,
    ValidationError,
)
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import exception_handler

from accounts import errors as accounts_errors
from accounts.accepting import PROBLEM
from audit_log import errors as log_errors
from audit_log.actions import ReasonCode
from config.fault_words import fault_words
from config.field_errors import field_errors
from consent import errors as consent_errors
from emotion import errors as emotion_errors
from emotion.faults import in_a_line
from emotion.inference.media import DecoderKilled, MediaCode, MediaRefused
from vault import errors as vault_errors

log = logging.getLogger("consentry.web")

STATUS: dict[type[Exception], int] = {
    accounts_errors.TooManyAttempts: 429,
    accounts_errors.InvalidClient: 422,
    accounts_errors.InvalidOperator: 422,
    accounts_errors.TooManyKeys: 409,
    accounts_errors.KeyInUse: 409,
    accounts_errors.ClientEnded: 401,
    accounts_errors.UnknownKey: 404,
    accounts_errors.InvalidToken: 422,
    accounts_errors.InvalidCertificate: 422,
    accounts_errors.UnknownCertificate: 404,
    accounts_errors.UnknownToken: 404,
    accounts_errors.AddressTaken: 409,
    accounts_errors.LastAdministrator: 409,
    accounts_errors.UnknownClient: 404,
    accounts_errors.UnknownOperator: 404,
    consent_errors.ConsentRefused: 403,
    consent_errors.NotTheSubject: 403,
    consent_errors.ProhibitedPurpose: 422,
    consent_errors.InvalidPurpose: 409,
    consent_errors.InvalidHold: 422,
    consent_errors.InvalidRequest: 409,
    consent_errors.InvalidBreach: 409,
    consent_errors.InvalidAssessment: 409,
    consent_errors.InvalidDocument: 422,
    consent_errors.InvalidPaper: 422,
    consent_errors.PaperGone: 410,
    consent_errors.InvalidNotice: 409,
    consent_errors.InvalidChoice: 422,
    consent_errors.PartsLeftOut: 422,
    consent_errors.WrongAge: 422,
    consent_errors.InvalidReference: 422,
    consent_errors.AddressNotFiled: 409,
    consent_errors.OnlyByMail: 409,
    consent_errors.InvitationInvalid: 410,
    consent_errors.UnknownSubject: 404,
    consent_errors.UnknownErasure: 404,
    consent_errors.NotThere: 404,
    consent_errors.AlreadyAnswered: 409,
    consent_errors.QuestionTakenBack: 409,
    consent_errors.NoAddress: 409,
    consent_errors.AskedOftenEnough: 409,
    consent_errors.AskedTooSoon: 429,
    consent_errors.ReplayedTooSoon: 429,
    consent_errors.NotIntegrated: 409,
    consent_errors.InvalidIdempotencyKey: 400,
    consent_errors.IdempotencyMismatch: 422,
    consent_errors.IdempotencyInProgress: 409,
    consent_errors.InvalidWebhook: 422,
    consent_errors.ReferenceTaken: 409,
    consent_errors.SignInFailed: 403,
    emotion_errors.NotFound: 404,
    emotion_errors.Gone: 410,
    emotion_errors.NotReady: 409,
    emotion_errors.NoResult: 404,
    emotion_errors.NotDisputed: 409,
    emotion_errors.BundleInProgress: 429,
    emotion_errors.ExportInProgress: 429,
    emotion_errors.ExportTooLarge: 422,
    emotion_errors.BatchTooLong: 413,
    emotion_errors.CohortBudgetSpent: 409,
    emotion_errors.ReasonRequired: 400,
    emotion_errors.UploadInvalid: 400,
    emotion_errors.UnderWay: 409,
    emotion_errors.AnalysisEnded: 409,
    emotion_errors.UploadTooLarge: 413,
    emotion_errors.TooManyUploads: 429,
    emotion_errors.QueueFull: 503,
    emotion_errors.TusVersion: 412,
    emotion_errors.WrongContentType: 415,
    emotion_errors.OffsetMismatch: 409,
    emotion_errors.ChecksumMismatch: 460,  # of the tus protocol, in no registry
    emotion_errors.UploadHeld: 423,
    emotion_errors.UploadExpired: 410,
    emotion_errors.UploadStored: 409,
    vault_errors.KeyDestroyed: 410,
    vault_errors.KeystoreUnavailable: 503,
    vault_errors.ProviderUnavailable: 503,
    vault_errors.RootKeyMissing: 503,
    vault_errors.WrongRootKey: 503,
    vault_errors.InsecureKeyFile: 503,
    vault_errors.StorageFull: 507,
    vault_errors.VaultError: 500,
    log_errors.AuditLogError: 503,
    OperationalError: 503,
    InterfaceError: 503,
    RedisError: 503,
    DecoderKilled: 503,
}
MEDIA_STATUS = {
    MediaCode.TOO_LARGE: 413,
    MediaCode.TOO_MANY_PIXELS: 413,
    MediaCode.TYPE_NOT_SUPPORTED: 415,
    MediaCode.FILM_CODEC_NOT_SUPPORTED: 415,
    MediaCode.FILM_TOO_LONG: 413,
}
REASON_STATUS = {ReasonCode.CLOCK_WRONG: 503}  # our fault, and it passes
DATABASE_AWAY = (OperationalError, InterfaceError)
LATER = 10
"""Seconds after which to try again what the installation could not do, where nothing better is known."""


def status_of(error: Exception) -> int | None:
    """The status of a known error, the nearest class deciding; None for one that nobody expected."""
    if isinstance(error, MediaRefused):
        return MEDIA_STATUS.get(error.code, 422)
    if isinstance(error, consent_errors.ConsentRefused) and error.reason in REASON_STATUS:
        return REASON_STATUS[error.reason]
    for kind in type(error).__mro__:
        if kind in STATUS:
            return STATUS[kind]
    return None


def problem(status: int, code: str, detail: str, **more: Any) -> dict[str, Any]:
    """A problem-details object (RFC 9457)."""
    return {
        "type": "about:blank",
        "title": code.replace("-", " "),
        "status": status,
        "code": code,
        "detail": detail,
        **more,
    }


def note(status: int, error: Exception) -> None:
    """One line for the operator about a fault that is ours."""
    if status >= 500 and not isinstance(error, emotion_errors.QueueFull):
        log.error("answered %d: %s", status, in_a_line(error))


def told(status: int, error: Exception) -> tuple[str, str]:
    """The code and the sentence of a known error. What a fault says is for its operator only."""
    if isinstance(error, DATABASE_AWAY):
        code = "database-unavailable"
    elif isinstance(error, RedisError):
        code = "cache-unavailable"
    else:
        code = str(getattr(error, "code", "error"))
    return code, (fault_words(error) if status >= 500 else None) or str(error)


def known_problem(status: int, error: Exception) -> dict[str, Any]:
    """The object of a known error, with the access-log entry that its refusal made."""
    entry = getattr(error, "log_entry", None)
    return problem(status, *told(status, error), **({"log_entry": str(entry)} if entry else {}))


def when_again(status: int, error: Exception | None = None) -> dict[str, str]:
    """``Retry-After``, where trying again can help."""
    seconds = getattr(error, "retry_after", LATER if status == 503 else None)
    return {} if seconds is None else {"Retry-After": str(seconds)}


def problem_details(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler: known errors by the table, DRF's own in the same shape."""
    if (request := context.get("request")) is not None:
        # A problem is JSON, whatever the answer would have been.
        request.accepted_renderer, request.accepted_media_type = JSONRenderer(), "application/json"
    status = status_of(error)
    if status is not None:
        note(status, error)
        body, headers = known_problem(status, error), when_again(status, error)
        return Response(body, status=status, headers=headers, content_type=PROBLEM)
    if isinstance(error, BadRequest):
        body = problem(400, "bad-request", str(error))
        return Response(body, status=400, content_type=PROBLEM)
    if isinstance(error, Http404 | DjangoPermissionDenied):
        error = NotFound(NOTHING) if isinstance(error, Http404) else PermissionDenied()
    response = exception_handler(error, context)
    if response is None or not isinstance(error, APIException):
        return response
    response.content_type = PROBLEM
    if isinstance(error, ValidationError):
        in_body = request is None or request.method not in {"GET", "HEAD", "DELETE"}
        found = field_errors(error.detail, in_body=in_body)
        words = _("Some fields are not as they should be.")
        response.data = problem(422, "invalid", words, errors=found)
        response.status_code = 422
        return response
    codes = error.get_codes()
    code = codes if isinstance(codes, str) else "invalid"
    detail = detail_of(error, context)
    response.data = problem(response.status_code, code.replace("_", "-"), detail)
    return response


NOTHING = gettext_lazy("There is nothing here.")
WRONG_METHOD = gettext_lazy(
    "This address does not take this method; the header Allow names those it takes."
)


def detail_of(error: APIException, context: dict[str, Any]) -> str:
    """What to tell about an error of DRF's own, without what the client typed."""
    if isinstance(error, MethodNotAllowed):
        return str(WRONG_METHOD)
    if isinstance(error, UnsupportedMediaType):
        parsers = getattr(context.get("view"), "parser_classes", ())
        taken = ", ".join(str(parser.media_type) for parser in parsers)
        return _("This address takes %(types)s; another type came.") % {"types": taken}
    if isinstance(error, Throttled):
        return _("Too many requests; the header Retry-After says when to go on.")
    if isinstance(error, NotFound):
        return str(NOTHING)
    return str(error.detail)


def is_api(request: HttpRequest) -> bool:
    """Whether the answer must be problem details."""
    return request.path.startswith("/api/")


def api_problem(status: int, code: str, detail: str | Promise) -> JsonResponse:
    """Problem details outside DRF: unknown addresses, and errors before a view was reached."""
    headers = when_again(status)
    body = problem(status, code, str(detail))
    return JsonResponse(body, status=status, headers=headers, content_type=PROBLEM)


def database_away(request: HttpRequest, error: Exception) -> HttpResponse:
    """503 without asking the database for anything: not even who is signed in."""
    code, text = told(503, error)
    if is_api(request):
        return api_problem(503, code, text)
    return render(request, "500.html", {"status": 503, "code": code}, status=503)
