"""Publishing a privacy notice: a version is hashed once and never changes afterwards."""

from __future__ import annotations

import hashlib

from django.db import transaction
from django.utils import timezone

from accounts.actors import Actor
from audit_log.actions import Action
from audit_log.entries import Draft
from audit_log.log import append
from consent.errors import InvalidNotice
from consent.models import Notice, Purpose, PurposeState
from consent.purposes import locked


def notice_sha256(title: str, summary: str, text: str) -> str:
    """SHA-256 over title, plain-language layer and full text, joined by NUL; lower-case hex."""
    return hashlib.sha256("\0".join((title, summary, text)).encode()).hexdigest()


def publish_notice(
    actor: Actor, purpose: Purpose, texts: dict[str, tuple[str, str, str]]
) -> list[Notice]:
    """Publish the next version in one or more languages.

    ``texts`` maps a language code to (title, plain-language summary, full text). People who consented
    to an earlier version stay tied to what they read.
    """
    if not texts or not all(all(part.strip() for part in parts) for parts in texts.values()):
        raise InvalidNotice("A notice needs a title, a summary in plain words and its full text.")
    with transaction.atomic():
        held = locked(purpose.id)
        if held.state == PurposeState.CLOSED:
            raise InvalidNotice("This purpose is closed; its notices stay as they are.")
        newest = held.notices.order_by("-version").values_list("version", flat=True).first()
        version = (newest or 0) + 1
        notices = [
            Notice.objects.create(
                purpose=held,
                version=version,
                language=language,
                title=title,
                summary=summary,
                text=text,
                sha256=notice_sha256(title, summary, text),
                published_at=timezone.now(),
            )
            for language, (title, summary, text) in texts.items()
        ]
        append(
            Draft(
                action=Action.NOTICE_PUBLISH,
                actor=actor.log_name(),
                purpose_id=held.id,
                policy_version=str(notices[0].id),
            )
        )
    return notices
