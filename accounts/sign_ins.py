"""What signing in and out, and changing the means of doing so, leave in the access log.

An operator is named by id. A data subject is named by a tag that only ``consent`` can make, so for
them the entry is written by the function that ``settings.SUBJECT_SIGN_IN_RECORDER`` names.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import StrEnum

from allauth.account.internal.flows.login import (
    get_authentication_records,
    record_authentication,
)
from django.conf import settings
from django.contrib.auth import login
from django.http import HttpRequest
from django.utils import timezone
from django.utils.module_loading import import_string

from accounts.actors import ANONYMOUS, actor_for
from accounts.attempts import Attempt, address_of, begin_attempt
from accounts.errors import TooManyAttempts
from accounts.models import User
from audit_log.actions import Action, Outcome, ReasonCode
from audit_log.entries import Draft
from audit_log.log import append, append_durable

SubjectRecorder = Callable[[User, Action, bytes], None]


class Step(StrEnum):
    """What became of somebody's means of signing in, in the detail of the entry."""

    ADD = "add"
    REMOVE = "remove"
    PASSWORD = "password"  # noqa: S105  a word of a closed list, no password


def record(user: User, action: Action, step: Step | None = None) -> None:
    """Write down what a known person did about signing in, inside the caller's transaction."""
    detail = json.dumps({"step": step}, separators=(",", ":")).encode() if step else b""
    if user.is_operator:
        append(Draft(action=action, actor=actor_for(user).log_name(), detail=detail))
        return
    recorder: SubjectRecorder = import_string(settings.SUBJECT_SIGN_IN_RECORDER)
    recorder(user, action, detail)


def record_failure(reason: ReasonCode, user: User | None = None) -> None:
    """Write down a refused attempt, by nobody known or by whoever had passed the first factor."""
    known = user is not None and user.is_operator
    append_durable(
        Draft(
            action=Action.LOGIN_FAIL,
            actor=actor_for(user).log_name() if user and known else ANONYMOUS.log_name(),
            outcome=Outcome.REFUSED,
            reason=reason,
        )
    )


def begin_sign_in(request: HttpRequest, account: str, user: User | None = None) -> Attempt:
    """Count an attempt to sign in. Raises TooManyAttempts.

    What is refused for that leaves one entry, and then none until it is over: else a stranger could fill
    the log, which nobody can empty.
    """
    try:
        return begin_attempt(account=account, address=address_of(request))
    except TooManyAttempts as full:
        if full.first:
            record_failure(ReasonCode.TOO_MANY_ATTEMPTS, user)
        raise


def signed_in_within(request: HttpRequest, seconds: int) -> bool:
    """Whether the person of this session signed in, or showed again who they are, so shortly ago."""
    records = get_authentication_records(request, request.user)
    return bool(records) and timezone.now().timestamp() - records[-1]["at"] < seconds


def sign_in_subject(request: HttpRequest, user: User) -> None:
    """Open a data subject's session after an invitation or an e-mailed code was accepted.

    The flow that accepted it writes the entry. For a while the person can add a passkey without being
    asked again.
    """
    login(request, user)
    record_authentication(request, user, method="code", reauthenticated=True)
