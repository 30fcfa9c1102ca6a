"""The breach record (GDPR Art. 33(5)): what happened, whom it concerns, and what was done when.

The data protection officer writes it; administrators read it. Steps go one way: the authority is told or
need not be, the people are told or need not be, the record is closed. Each is an entry of the access log.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from uuid_utils.compat import uuid7

from accounts.actors import Actor
from accounts.models import Role, User
from audit_log.actions import Action, ReasonCode
from audit_log.entries import Draft
from audit_log.log import append, append_durable
from consent.breach_reach import Reach, Span, draw
from consent.breach_texts import TOLD, WORDS, Words, as_text, seal_words
from consent.clock_words import clock, in_the_future
from consent.errors import InvalidBreach
from consent.models import (
    Breach,
    BreachKind,
    BreachPerson,
    BreachState,
    LateReason,
    NotNotified,
    NotTold,
)
from vault.keyring import keys_kept_if_filed
from vault.tags import Tagger, tagger

REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ./_-]{0,39}")
"""What the authority's file number may look like: no room for a sentence about somebody."""


def require_officer(officer: User) -> None:
    """Raise InvalidBreach unless this is a data protection officer."""
    if officer.role != Role.DPO:
        raise InvalidBreach(_("Only a data protection officer writes in a breach record."))


def write_step(
    breach: Breach, action: Action, actor: Actor, tags: Tagger, *, reason: str = ""
) -> None:
    """Write the entry of one step, in the flow's transaction; its detail holds numbers only."""
    detail = {"people": breach.people.count(), "unlinked": breach.unlinked}
    append(
        Draft(
            action=action,
            actor=actor.log_name(),
            reason=ReasonCode(reason) if reason else None,
            purpose_id=breach.purpose_id,
            object_tag=tags.object("breach", breach.id),
            detail=json.dumps(detail, separators=(",", ":")).encode(),
        )
    )


def note_reading(actor: Actor, span: Span) -> None:
    """Drawing people from the log is reading it, and that is an entry before it is done."""
    append_durable(
        Draft(action=Action.LOG_READ, actor=actor.log_name(), purpose_id=span.purpose_id)
    )


def span_of(breach: Breach) -> Span:
    """Which entries this record looks at."""
    return Span(breach.begins_at, breach.ends_at, breach.purpose_id, breach.actor, breach.everybody)


def record_breach(
    actor: Actor,
    officer: User,
    *,
    noticed_at: datetime,
    kinds: list[BreachKind],
    span: Span,
    words: Words,
) -> Breach:
    """Write a breach down, and draw from the log whom it concerns.

    Raises InvalidBreach for a time to come, a span without length, or no kind.
    """
    require_officer(officer)
    now = timezone.now()
    if noticed_at > now:
        raise InvalidBreach(_("When was it noticed?") + " " + in_the_future())
    if span.ends_at > now:
        raise InvalidBreach(_("Until") + ": " + in_the_future())
    if span.begins_at >= span.ends_at:
        raise InvalidBreach(_("The time from which entries count comes before its end."))
    if not kinds:
        raise InvalidBreach(_("Say what it did to data."))
    note_reading(actor, span)
    reach = draw(span)
    breach_id = uuid7()
    tags = tagger(breach_id, None)
    sealed = seal_words(breach_id, WORDS, Action.BREACH_RECORD, as_text(words))
    breach = Breach(
        id=breach_id,
        recorded_by=officer,
        recorded_at=now,
        noticed_at=noticed_at,
        kinds=[kind.value for kind in kinds],
        begins_at=span.begins_at,
        ends_at=span.ends_at,
        purpose_id=span.purpose_id,
        actor=span.actor,
        everybody=span.everybody,
        words_key_id=sealed.key_id,
        words_sealed=sealed.sealed,
    )
    with keys_kept_if_filed(sealed.key_id), transaction.atomic():
        breach.save(force_insert=True)
        file_reach(breach, reach)
        write_step(breach, Action.BREACH_RECORD, actor, tags)
    return breach


def file_reach(breach: Breach, reach: Reach) -> None:
    """Write down whom it concerns, in place of an earlier list; in a transaction only."""
    breach.people.all().delete()
    BreachPerson.objects.bulk_create(
        BreachPerson(breach=breach, subject_id=subject_id, entries=number)
        for subject_id, number in sorted(reach.people.items())
    )
    breach.unlinked = reach.unlinked
    breach.save(update_fields=["unlinked"])


def lock_in(breach_id: UUID, *states: BreachState) -> Breach:
    """Lock a record that is in one of these states; in a transaction only. Raises InvalidBreach."""
    held = Breach.objects.select_for_update().get(pk=breach_id)
    if held.state not in states:
        raise InvalidBreach(_("This step was taken already, or another comes before it."))
    return held


def draw_again(actor: Actor, officer: User, breach_id: UUID) -> Breach:
    """Draw the list anew before anybody is told, when the log has grown or somebody's tags have ended.

    Whoever is on the list stays on it: that their key is gone since does not make it not have happened.
    """
    require_officer(officer)
    found = Breach.objects.get(pk=breach_id)
    tags = tagger(found.id, None)
    note_reading(actor, span_of(found))
    reach = draw(span_of(found))
    with transaction.atomic():
        held = lock_in(breach_id, BreachState.OPEN, BreachState.NOTIFIED)
        for row in held.people.all():
            reach.people[row.subject_id] = max(reach.people[row.subject_id], row.entries)
        file_reach(held, reach)
        write_step(held, Action.BREACH_DRAW, actor, tags)
    return held


@dataclass(frozen=True)
class Notification:
    """That the authority was told when, under which number, and why late; or why it need not be."""

    at: datetime | None = None
    reference: str = ""
    late: LateReason | None = None
    ground: NotNotified | None = None


def notify(actor: Actor, officer: User, breach_id: UUID, given: Notification) -> Breach:
    """Write down that the authority was told, or need not be (Art. 33(1)). Raises InvalidBreach."""
    require_officer(officer)
    tags = tagger(breach_id, None)
    with transaction.atomic():
        held = lock_in(breach_id, BreachState.OPEN)
        require_possible(held, given)
        held.state = BreachState.NOTIFIED
        held.notified_at, held.reference = given.at, given.reference
        held.late_reason, held.not_notified = given.late or "", given.ground or ""
        held.save()
        reason = held.late_reason or held.not_notified
        write_step(held, Action.BREACH_NOTIFY, actor, tags, reason=reason)
    return held


def require_possible(breach: Breach, given: Notification) -> None:
    """Raise InvalidBreach for a notification that contradicts itself or the clock."""
    if (given.at is None) == (given.ground is None):
        raise InvalidBreach(_("Say when the authority was told, or why it need not be."))
    if given.at is None:
        return
    if given.at > timezone.now():
        raise InvalidBreach(in_the_future())
    if given.at < breach.noticed_at:
        raise InvalidBreach(
            _("The authority is told after the breach was noticed (times here are %(zone)s).")
            % clock()
        )
    if not REFERENCE.fullmatch(given.reference):
        raise InvalidBreach(_("Give the authority's file number: letters, digits and ./_- only."))
    if (given.at > breach.notify_by) != (given.late is not None):
        raise InvalidBreach(_("After 72 hours the reason for the delay is given, and only then."))


def tell(
    actor: Actor, officer: User, breach_id: UUID, text: str = "", ground: NotTold | None = None
) -> Breach:
    """Have everybody on the list told in these words, or say why they need not be (Art. 34).

    The keeper writes to them (``consent.breach_telling``). Raises InvalidBreach.
    """
    require_officer(officer)
    words = text.strip()
    if bool(words) == (ground is not None):
        raise InvalidBreach(_("Write what people are told, or choose why they need not be."))
    tags = tagger(breach_id, None)
    lock_free = Breach.objects.get(pk=breach_id)
    if lock_free.state != BreachState.NOTIFIED:  # asked again under the lock; here it spares a key
        raise InvalidBreach(_("This step was taken already, or another comes before it."))
    sealed = seal_words(breach_id, TOLD, Action.BREACH_TELL, words) if words else None
    with keys_kept_if_filed(sealed.key_id if sealed else None), transaction.atomic():
        held = lock_in(breach_id, BreachState.NOTIFIED)
        held.state = BreachState.TOLD
        held.not_told = ground or ""
        if sealed:
            held.told_at = timezone.now()
            held.told_key_id, held.told_sealed = sealed.key_id, sealed.sealed
        held.save()
        write_step(held, Action.BREACH_TELL, actor, tags, reason=held.not_told)
    return held


def close_breach(actor: Actor, officer: User, breach_id: UUID) -> Breach:
    """Close a record of which everything is done. Raises InvalidBreach."""
    require_officer(officer)
    tags = tagger(breach_id, None)
    with transaction.atomic():
        held = lock_in(breach_id, BreachState.TOLD)
        if held.told_at and held.people.filter(told_at=None, subject__closed_at=None).exists():
            raise InvalidBreach(_("Not everybody is told yet; the keeper is at it."))
        held.state, held.closed_at = BreachState.CLOSED, timezone.now()
        held.save(update_fields=["state", "closed_at"])
        write_step(held, Action.BREACH_CLOSE, actor, tags)
    return held
