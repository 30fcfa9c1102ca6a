"""The doors that belong to no room: the front page, where to go after signing in, health and errors."""

from __future__ import annotations

import shutil
import sys

from django.conf import settings
from django.db import DatabaseError, connections, transaction
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import F
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe
from kombu.exceptions import OperationalError

from accounts.actors import actor_of
from audit_log.clock import ClockState, read_clock
from audit_log.sequencer import lag
from config.celery import app
from config.errors import DATABASE_AWAY, api_problem, database_away, is_api
from consent.models import Purpose, PurposeState
from emotion.active_pack import verify_active
from emotion.health import DISK_AT_LEAST, LAG_AT_MOST
from emotion.inference.models import ModelIntegrityError, verify_models
from emotion.marks import KEEPER, is_silent
from emotion.upgrades import unapplied
from vault.errors import VaultError
from vault.setup import require_current


@require_safe
def front(request: HttpRequest) -> HttpResponse:
    """What this installation is and which studies run on it, for anybody."""
    purposes = Purpose.objects.filter(state=PurposeState.OPEN).prefetch_related("controllers")
    return render(request, "front.html", {"purposes": purposes.order_by("name")})


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """After signing in: data subjects to their own page, operators to theirs."""
    kind = actor_of(request).kind
    if kind == "subject":
        return redirect("subject_home")
    return redirect("operate_home" if kind == "operator" else "front")


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers; nothing else is said."""
    return HttpResponse("ok\n", content_type="text/plain")


def check_database(alias: str) -> str:
    """Whether a database answers, has the tables of this version, and can be written."""
    try:
        missing = unapplied(alias)
    except DatabaseError as error:
        return type(error).__name__
    if missing:
        return f"{missing} migrations missing: run manage.py setup"
    try:
        try_writing(alias)
    except DatabaseError as error:
        return f"cannot be written: {type(error).__name__}"
    return "ok"


def try_writing(alias: str) -> None:
    """Write for once, and take it back: a row gets the value it has. Raises DatabaseError."""
    with transaction.atomic(using=alias):
        rows = MigrationRecorder(connections[alias]).migration_qs
        rows.update(applied=F("applied"))
        transaction.set_rollback(True, using=alias)


def check_keys() -> str:
    """Whether the keystore has its epoch and the epoch its key."""
    try:
        require_current()
    except VaultError as error:
        return error.code
    return "ok"


def check_clock() -> str:
    """Whether dates can be believed."""
    try:
        return "ok" if (found := read_clock().state) is ClockState.RIGHT else found.value
    except DatabaseError as error:
        return type(error).__name__


def check_broker() -> str:
    """Whether the broker takes a connection."""
    try:
        with app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, timeout=2)
    except (OperationalError, OSError) as error:
        return type(error).__name__
    return "ok"


def check_models() -> str:
    """Whether every model file has its checksum, also those of a pack that was chosen."""
    try:
        verify_models()
        verify_active()
    except (ModelIntegrityError, DatabaseError) as error:
        return error.__class__.__name__
    return "ok"


def check_disk() -> str:
    """Whether there is room for what comes next."""
    free = shutil.disk_usage(settings.VAR_DIR).free
    return "ok" if free >= DISK_AT_LEAST else f"only {free // 1024**2} MiB free"


def check_keeper() -> str:
    """Whether the keeper lives and the log keeps up."""
    if is_silent(KEEPER):
        return "silent"
    try:
        behind = lag()
    except DatabaseError as error:
        return type(error).__name__
    return "ok" if behind <= LAG_AT_MOST else f"log {behind:.0f} s behind"


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Whether work can be taken: 200 when every part answers, else 503 with what does not."""
    parts = {
        "database": check_database("default"),
        "keystore": check_database("keystore"),
        "keys": check_keys(),
        "clock": check_clock(),
        "broker": check_broker(),
        "models": check_models(),
        "disk": check_disk(),
        "keeper": check_keeper(),
    }
    ready = all(state == "ok" for state in parts.values())
    return JsonResponse({"ready": ready, "parts": parts}, status=200 if ready else 503)


def error_page(request: HttpRequest, status: int, code: str, message: str) -> HttpResponse:
    """An error outside every room, in the shape that the address asks for."""
    if is_api(request):
        return api_problem(status, code, message)
    return render(request, f"{status}.html", {"code": code}, status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400. Django's own words are not passed on: they repeat what was sent."""
    return error_page(request, 400, "bad-request", "This request makes no sense.")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403."""
    return error_page(request, 403, "forbidden", "This is not allowed.")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404: it is not there, or it is not yours."""
    return error_page(request, 404, "not-found", "There is nothing here.")


def server_error(request: HttpRequest) -> HttpResponse:
    """500, without any detail; 503 when the database was away before a view was reached."""
    if isinstance(error := sys.exc_info()[1], DATABASE_AWAY):
        return database_away(request, error)
    return error_page(request, 500, "server-error", "Something went wrong here; nothing was lost.")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form that was not sent from our own page, or whose session ended."""
    return error_page(request, 403, "csrf", "The form had expired; please load it again.")
