"""Stopping one data category, and pausing a purpose: less than a withdrawal, as easy as one.

Narrowing erases what was measured under the category and lets the rest go on. A pause is the restriction
of processing of GDPR Art. 18: everything is kept and readable to the person, and nothing is done with it.
"""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.actors import Actor
from audit_log.actions import Action
from consent.erasure import destroy_keys
from consent.errors import InvalidChoice
from consent.giving import erase_categories
from consent.models import (
    ConsentEvent,
    ConsentState,
    ConsentStatus,
    DataCategory,
    DataSubject,
    ErasureRequest,
    EventKind,
    Purpose,
)
from consent.records import (
    append_consent_entry,
    lock_state,
    move_state,
    require_subject,
    write_event,
)
from vault.tags import tagger


def live_state(subject: DataSubject, purpose: Purpose) -> ConsentState:
    """The locked state of a standing consent. Raises InvalidChoice without one."""
    try:
        state = lock_state(subject.id, purpose.id)
    except ConsentState.DoesNotExist:
        raise InvalidChoice(_("You have not been asked about this study.")) from None
    if state.status != ConsentStatus.GIVEN:
        raise InvalidChoice(_("There is no consent that could be changed."))
    return state


def language_of(state: ConsentState) -> str:
    """The language in which the notice was read that the consent rests on."""
    return state.event.language if state.event else ""


def stop_category(
    actor: Actor, subject: DataSubject, purpose: Purpose, category: str
) -> ErasureRequest | None:
    """Withdraw one data category; its readings are erased, the rest goes on.

    Stopping what is not consented to (a second click) changes nothing and gives None. Raises
    NotTheSubject, or InvalidChoice for the photographs, without which only a withdrawal makes sense.
    """
    require_subject(actor, subject)
    if category == DataCategory.MEDIA:
        raise InvalidChoice(
            _("Without photographs nothing is left: withdraw from the study instead.")
        )
    tags = tagger(subject.id, purpose.id)
    with transaction.atomic():
        state = live_state(subject, purpose)
        if category not in state.categories:
            return None
        event = write_event(
            state,
            EventKind.NARROWED,
            by="subject",
            method="web",
            categories=[each for each in state.categories if each != category],
            notice=state.notice,
            language=language_of(state),
            valid_until=state.valid_until,
        )
        move_state(state, ConsentStatus.GIVEN, event)
        append_consent_entry(Action.CONSENT_NARROW, tags, event)
        (request,) = erase_categories(event, tags, [category])
    destroy_keys(request)
    return request


def paused_by_a_restore(subject: DataSubject) -> set[UUID]:
    """The purposes whose last pause began by itself, when a backup was put back."""
    pauses = ConsentEvent.objects.filter(subject=subject, kind=EventKind.RESTRICTED)
    last = dict(pauses.order_by("sequence").values_list("purpose_id", "by"))
    return {purpose_id for purpose_id, by in last.items() if by == "system"}


def pause(actor: Actor, subject: DataSubject, purpose: Purpose) -> ConsentEvent | None:
    """Restrict processing: kept, readable to the person, nothing else. A second click gives None."""
    return set_pause(actor, subject, purpose, paused=True)


def resume(actor: Actor, subject: DataSubject, purpose: Purpose) -> ConsentEvent | None:
    """End the pause; analyses that it stopped are taken up again by the keeper."""
    return set_pause(actor, subject, purpose, paused=False)


def set_pause(
    actor: Actor, subject: DataSubject, purpose: Purpose, *, paused: bool
) -> ConsentEvent | None:
    """Begin or end a pause. The consent stays the one that was given, and every permit dies with this."""
    require_subject(actor, subject)
    tags = tagger(subject.id, purpose.id)
    kind = EventKind.RESTRICTED if paused else EventKind.RESUMED
    with transaction.atomic():
        state = live_state(subject, purpose)
        if (state.restricted_at is not None) == paused:
            return None
        event = write_event(
            state,
            kind,
            by="subject",
            method="web",
            notice=state.notice,
            language=language_of(state),
        )
        state.restricted_at = timezone.now() if paused else None
        state.version += 1
        state.changed_at = event.at
        state.save(update_fields=["restricted_at", "version", "changed_at"])
        action = Action.CONSENT_RESTRICT if paused else Action.CONSENT_RESUME
        append_consent_entry(action, tags, event)
    return event
