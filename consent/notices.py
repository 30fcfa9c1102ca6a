"""Publishing a privacy notice: a version is hashed once and never changes afterwards."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from accounts.actors import Actor
from audit_log.actions import Action
from audit_log.entries import Draft
from audit_log.log import append
from consent.errors import InvalidNotice
from consent.models import ConsentState, ConsentStatus, Notice, Purpose, PurposeState
from consent.notice_pages import compose, tidy
from consent.purposes import locked

Texts = dict[str, tuple[str, str, str]]
"""Language code → (title, plain-language layer, full text)."""


@dataclass(frozen=True)
class Change:
    """What a new version changes.

    Fields:
        words: language code → what is new, for those who know the version before.
        substantive: whether it changes what people would decide on; then they are asked anew.
    """

    words: dict[str, str]
    substantive: bool


def check_texts(texts: Texts, change: Change | None, version: int) -> None:
    """Raise InvalidNotice unless every language is complete and a new version says what is new."""
    if not texts or not all(all(part.strip() for part in parts) for parts in texts.values()):
        raise InvalidNotice("A notice needs a title, a summary in plain words and its full text.")
    if version == 1:
        return
    if change is None:
        raise InvalidNotice(
            f"Version {version} must say what has changed, and whether that is of substance."
        )
    named = dict(settings.LANGUAGES)
    silent = [str(named[code]) for code in texts if not change.words.get(code, "").strip()]
    if silent:
        raise InvalidNotice(
            f"Say what has changed in every language; missing: {', '.join(sorted(silent))}."
        )


def publish_notice(
    actor: Actor, purpose: Purpose, texts: Texts, change: Change | None = None
) -> list[Notice]:
    """Publish the next version in one or more languages; ``change`` is needed from the second on.

    The page is frozen as the purpose is now. People who consented to an earlier version stay tied to
    what they read; a change of substance asks them anew (``consent.renewals``). Raises InvalidNotice.
    """
    with transaction.atomic():
        held = locked(purpose.id)
        if held.state == PurposeState.CLOSED:
            raise InvalidNotice("This purpose is closed; its notices stay as they are.")
        if held.state == PurposeState.IN_REVIEW:
            raise InvalidNotice(
                "This purpose is in review: its notice stays as it is until that is decided."
            )
        version = (held.notices.aggregate(Max("version"))["version__max"] or 0) + 1
        check_texts(texts, change, version)
        notices = []
        for language, (title, summary, text) in texts.items():
            notice = Notice(
                purpose=held,
                version=version,
                language=language,
                title=" ".join(title.split()),
                summary=tidy(summary),
                text=tidy(text),
                substantive=change.substantive if change and version > 1 else True,
                change=tidy(change.words[language]) if change and version > 1 else "",
                published_at=timezone.now(),
            )
            compose(notice, held)
            notice.save(force_insert=True)
            notices.append(notice)
        append(
            Draft(
                action=Action.NOTICE_PUBLISH,
                actor=actor.log_name(),
                purpose_id=held.id,
                policy_version=str(notices[0].id),
            )
        )
    return notices


def last_substantive(purposes: Iterable[UUID]) -> dict[UUID, int]:
    """Purpose → its newest version that changed something of substance; one query."""
    found = Notice.objects.filter(purpose_id__in=list(purposes), substantive=True)
    newest = found.order_by().values("purpose_id").annotate(last=Max("version"))
    return {row["purpose_id"]: row["last"] for row in newest}


def renewal_asked(state: ConsentState, substantive: dict[UUID, int]) -> bool:
    """Whether this consent stands and was given under a version that has changed in substance since.

    ``state`` comes with its notice; ``substantive`` from ``last_substantive``.
    """
    return (
        state.status == ConsentStatus.GIVEN
        and state.notice is not None
        and state.notice.version < substantive.get(state.purpose_id, 0)
    )
