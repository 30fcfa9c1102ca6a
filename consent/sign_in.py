"""Signing in as a data subject by a code sent to one's own address.

The answer is the same whether the address is known or not. Codes are kept as keyed hashes, live ten
minutes and allow five tries.
"""

from __future__ import annotations

import hmac
import secrets
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy, override
from django.utils.translation import gettext as _

from accounts.actors import ANONYMOUS
from accounts.attempts import keyed_hash
from accounts.models import User
from audit_log.actions import Action, Outcome, ReasonCode
from audit_log.entries import Draft
from audit_log.log import append, append_durable
from consent.contacts import takes_codes
from consent.errors import SignInFailed
from consent.messages import queue_message
from consent.models import DataSubject, OutboxMessage, SignInCode
from consent.records import subject_log_name
from consent.subjects import find_by_email
from vault.tags import tagger

LIFE = timedelta(minutes=10)
PAUSE = timedelta(seconds=60)
DAY = timedelta(hours=24)
OFTEN, LONG_PAUSE = 10, timedelta(hours=1)
"""So many codes within a day, then one an hour: a stranger who knows an address fills neither its mailbox
nor what the log says of its person, and keeps nobody out. Its owner may use any code that came to it."""
KIND = "sign-in-code"
TRIES = 5
WRONG = gettext_lazy("This code is not valid.")


def code_hash(subject: DataSubject, code: str) -> bytes:
    """Keyed, because six digits are soon guessed from a bare hash."""
    message = f"sign-in|{subject.id}|{code}".encode()
    return hmac.new(settings.SECRET_KEY.encode(), message, sha256).digest()


def send_code(email: str) -> DataSubject | None:
    """Send a code to this address if it is known to be a data subject's.

    At most one a minute, and after ten in a day one an hour.
    """
    subject = find_by_email(email)
    if subject is None or subject.user is None or not takes_codes(subject):
        return None
    now = timezone.now()
    pending = SignInCode.objects.filter(subject=subject).first()
    if pending is not None and pending.expires_at - LIFE + PAUSE > now:
        return subject
    if is_too_often(subject, now):
        note_too_often(subject)
        return subject
    code = f"{secrets.randbelow(10**6):06d}"
    SignInCode.objects.update_or_create(
        subject=subject,
        defaults={"code_hash": code_hash(subject, code), "expires_at": now + LIFE, "tries": 0},
    )
    # The account's language, or that of the browser in which somebody is waiting for the code.
    language = subject.user.language or get_language() or settings.LANGUAGE_CODE
    with override(language):
        heading = _("Your sign-in code")
        text = _(
            "Your code is %(code)s. It works for ten minutes. If you did not ask, ignore this."
        ) % {"code": code}
    queue_message(
        ANONYMOUS, subject, None, kind=KIND, language=language, heading=heading, text=text
    )
    return subject


def is_too_often(subject: DataSubject, now: datetime) -> bool:
    """Whether so many codes were sent within a day that the next one waits for an hour."""
    sent = OutboxMessage.objects.filter(subject=subject, kind=KIND, created_at__gt=now - DAY)
    newest = list(sent.order_by("-created_at").values_list("created_at", flat=True)[:OFTEN])
    return len(newest) == OFTEN and newest[0] + LONG_PAUSE > now


def note_too_often(subject: DataSubject) -> None:
    """Write down, once a day, that more codes were asked for than are sent."""
    if not cache.add(keyed_hash("codes", str(subject.id)), "", int(DAY.total_seconds())):
        return
    append_durable(
        Draft(
            action=Action.MESSAGE_QUEUE,
            actor=ANONYMOUS.log_name(),
            outcome=Outcome.REFUSED,
            reason=ReasonCode.TOO_MANY_ATTEMPTS,
            subject_tag=tagger(subject.id, None).subject(),
        )
    )


def check_code(subject_id: UUID | None, code: str) -> User:
    """The account behind the right code, which is then used up; SignInFailed otherwise."""
    if subject_id is None:
        raise SignInFailed(str(WRONG))
    subject = DataSubject.objects.select_related("user").filter(pk=subject_id).first()
    if subject is None or subject.user is None:
        raise SignInFailed(str(WRONG))
    tags = tagger(subject.id, None)
    with transaction.atomic():
        pending = (
            SignInCode.objects.select_for_update()
            .filter(subject=subject, expires_at__gt=timezone.now(), tries__lt=TRIES)
            .first()
        )
        right = pending is not None and hmac.compare_digest(
            bytes(pending.code_hash), code_hash(subject, code.strip())
        )
        if right:
            SignInCode.objects.filter(subject=subject).delete()
        else:
            SignInCode.objects.filter(subject=subject).update(tries=F("tries") + 1)
    append_durable(
        Draft(
            action=Action.LOGIN_SUCCEED if right else Action.LOGIN_FAIL,
            actor=subject_log_name(tags) if right else ANONYMOUS.log_name(),
            outcome=Outcome.OK if right else Outcome.REFUSED,
            reason=ReasonCode.SIGN_IN if right else ReasonCode.BAD_CREDENTIALS,
            subject_tag=tags.subject(),
        )
    )
    if not right:
        raise SignInFailed(str(WRONG))
    return subject.user


def record_sign_in(user: User, action: Action, detail: bytes) -> None:
    """Write down what a data subject did with a passkey or a session, in the caller's transaction.

    ``settings.SUBJECT_SIGN_IN_RECORDER`` names this function: accounts cannot make the tag.
    """
    subject = DataSubject.objects.get(user=user)
    tags = tagger(subject.id, None)
    append(
        Draft(
            action=action,
            actor=subject_log_name(tags),
            reason=ReasonCode.SIGN_IN,
            subject_tag=tags.subject(),
            detail=detail,
        )
    )
