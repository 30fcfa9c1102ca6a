"""Legal holds: the data protection officer postpones destruction, and never refusal.

While a hold stands, an erasure that has not begun waits: keys, sealed files and rows stay, and the keys
move on to the next epoch like every living one. The gate knows nothing of holds: what a withdrawal, a
date or a dispute has closed stays closed. A hold has no free text, which would name people; the matter's
own file is where that belongs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.timezone import localdate, localtime
from django.utils.translation import gettext as _

from accounts.actors import SYSTEM_KEEPER, Actor
from accounts.models import Role, User
from audit_log.actions import Action, ReasonCode
from audit_log.entries import Draft
from audit_log.log import append
from consent.errors import InvalidHold
from consent.models import (
    ConsentState,
    ErasureRequest,
    HoldReason,
    LegalHold,
    LegalHoldQuerySet,
    Purpose,
    PurposeState,
)
from consent.row_by_row import do_each
from vault.tags import Tagger, tagger_if_alive

AT_MOST = timedelta(days=366)
"""How far ahead the last day of a hold may be. Who needs it longer places another, and thinks again."""


def lock_holds(subject_id: UUID | None, purpose_id: UUID | None) -> None:
    """Let either a hold be placed or an erasure begin, one after the other; in a transaction only.

    The erasure of an account (no purpose) is stopped by a hold in any purpose of the person's.
    """
    rows = Purpose.objects.select_for_update(no_key=True).order_by("pk")
    if purpose_id is None:
        asked = ConsentState.objects.filter(subject_id=subject_id)
        rows = rows.filter(pk__in=asked.values("purpose_id"))
    else:
        rows = rows.filter(pk=purpose_id)
    list(rows.values_list("pk"))


SHORTEST = 8
"""How much of the end of an opaque number lists show."""


def person_in(purpose: Purpose, number: str) -> UUID:
    """Whose number this is in a purpose: the whole opaque number, or its end as lists show it.

    Raises InvalidHold when it is nobody's, or more than one person's.
    """
    end = number.replace("-", "").strip().lower()
    asked = ConsentState.objects.filter(purpose=purpose).values_list("subject_id", flat=True)
    fitting = [each for each in asked if len(end) >= SHORTEST and each.hex.endswith(end)]
    if not fitting:
        raise InvalidHold("This purpose has nobody with this number.")
    if len(fitting) > 1:
        raise InvalidHold("More than one person has a number that ends so: give the whole one.")
    return fitting[0]


def purposes_to_hold(people: Iterable[UUID]) -> dict[UUID, list[Purpose]]:
    """The purposes in which a hold can be placed on each of these people, by name."""
    states = ConsentState.objects.filter(
        subject_id__in=list(people),
        purpose__state__in=[PurposeState.OPEN, PurposeState.CLOSED],
        tags_ended_at=None,
    ).select_related("purpose")
    found: dict[UUID, list[Purpose]] = {}
    for state in states.order_by("purpose__name"):
        found.setdefault(state.subject_id, []).append(state.purpose)
    return found


def within(purpose_id: UUID | None, purposes: Iterable[Purpose]) -> list[Purpose]:
    """Those of one purpose, or all where something is about none in particular."""
    return [each for each in purposes if purpose_id in (None, each.id)]


def require_officer(officer: User) -> None:
    """Raise InvalidHold unless this is a data protection officer."""
    if officer.role != Role.DPO:
        raise InvalidHold("Only a data protection officer places or lifts a legal hold.")


def tags_of(hold: LegalHold) -> Tagger | None:
    """The tags of the person whom the hold is about; None when it is about everybody in the purpose.

    Nor are there any where a hold came back with a backup and what it is about ended since: it can be
    lifted, and ends, all the same.
    """
    return tagger_if_alive(hold.subject_id, hold.purpose_id) if hold.subject_id else None


def write_entry(hold: LegalHold, action: Action, actor: Actor, tags: Tagger | None) -> None:
    """Write the entry of a step and keep its id, in the flow's transaction.

    The detail is not sealed: a random id and a date name nobody.
    """
    detail = {"hold": str(hold.id), "until": hold.ends_at.isoformat()}
    appended = append(
        Draft(
            action=action,
            actor=actor.log_name(),
            reason=ReasonCode(hold.reason),
            purpose_id=hold.purpose_id,
            subject_tag=tags.subject() if tags else b"",
            object_tag=tags.object("hold", hold.id) if tags else b"",
            detail=json.dumps(detail, separators=(",", ":")).encode(),
        )
    )
    hold.entry_ids = [*hold.entry_ids, str(appended.entry_id)]
    hold.save(update_fields=["entry_ids"])


def place_hold(
    actor: Actor,
    officer: User,
    purpose: Purpose,
    *,
    reason: HoldReason,
    ends_at: datetime,
    subject_id: UUID | None = None,
) -> LegalHold:
    """Postpone every destruction in a purpose, or of one person in it, that has not begun.

    Raises InvalidHold for a purpose that never opened, a person whom it never asked or whose part in it is
    over for good, and an end that is past or further off than ``AT_MOST``.
    """
    require_officer(officer)
    now = timezone.now()
    if ends_at <= now or localdate(ends_at) > localdate(now) + AT_MOST:
        raise InvalidHold(
            f"A hold ends on a day to come, at most {AT_MOST.days} days ahead; got {day(ends_at)}."
        )
    if purpose.state not in {PurposeState.OPEN, PurposeState.CLOSED}:
        raise InvalidHold("Nothing was recorded for this purpose yet, so there is nothing to hold.")
    require_something_left(subject_id, purpose)
    hold = LegalHold(
        purpose=purpose,
        subject_id=subject_id,
        reason=reason,
        placed_by=officer,
        placed_at=now,
        ends_at=ends_at,
    )
    tags = tags_of(hold)
    with transaction.atomic():
        lock_holds(subject_id, purpose.id)
        require_something_left(subject_id, purpose)
        hold.save(force_insert=True)
        write_entry(hold, Action.HOLD_PLACE, actor, tags)
    return hold


def require_something_left(subject_id: UUID | None, purpose: Purpose) -> None:
    """Raise InvalidHold for a person whom the purpose never asked, or of whom nothing is left to hold."""
    if subject_id is None:
        return
    state = ConsentState.objects.filter(purpose=purpose, subject_id=subject_id).first()
    if state is None:
        raise InvalidHold("This purpose has nobody with this number.")
    if state.tags_ended_at is not None:
        raise InvalidHold(
            "This person's part in this purpose is over for good: nothing of theirs is left to hold."
        )


def lift_hold(actor: Actor, officer: User, hold_id: UUID) -> LegalHold:
    """End a hold before its date; what waited for it goes on. Raises InvalidHold when it is over."""
    require_officer(officer)
    tags = tags_of(LegalHold.objects.get(pk=hold_id))
    with transaction.atomic():
        hold = LegalHold.objects.select_for_update().get(pk=hold_id)
        if hold.over_at is not None:
            raise InvalidHold("This hold is over already.")
        hold.over_at = timezone.now()
        hold.lifted_by = officer
        hold.save(update_fields=["over_at", "lifted_by"])
        write_entry(hold, Action.HOLD_LIFT, actor, tags)
    return hold


def end_holds() -> int:
    """Write down the end of every hold whose date has passed. Keeper only."""
    due = LegalHold.objects.standing().filter(ends_at__lte=timezone.now())
    return do_each(list(due), end_hold)


def end_hold(due: LegalHold) -> bool:
    """The same for one hold; whether it stood."""
    tags = tags_of(due)
    with transaction.atomic():
        hold = LegalHold.objects.select_for_update().get(pk=due.pk)
        if hold.over_at is not None:
            return False
        hold.over_at = timezone.now()
        hold.save(update_fields=["over_at"])
        write_entry(hold, Action.HOLD_END, SYSTEM_KEEPER, tags)
    return True


def holds_over(subject_id: UUID, purpose_id: UUID | None) -> LegalHoldQuerySet:
    """The holds, over or not, that cover this person in this purpose; without one, in any of theirs."""
    if purpose_id is not None:
        return LegalHold.objects.covering(subject_id, purpose_id)
    asked = ConsentState.objects.filter(subject_id=subject_id).values("purpose_id")
    everybody = Q(subject_id=None, purpose_id__in=asked)
    return LegalHold.objects.filter(everybody | Q(subject_id=subject_id))


def hold_over(subject_id: UUID, purpose_id: UUID | None) -> LegalHold | None:
    """The standing one of ``holds_over`` that ends last, if there is one."""
    return holds_over(subject_id, purpose_id).standing().order_by("-ends_at").first()


def hold_words(hold: LegalHold | None) -> str:
    """What a hold means for the person, in plain words; nothing without one."""
    if hold is None:
        return ""
    return _(
        "The data protection officer ordered it: “%(reason)s”. Until %(until)s nothing of yours is "
        "destroyed, unless the order is lifted earlier. When it ends, what is due is erased by itself."
    ) % {"reason": hold.get_reason_display(), "until": day(hold.ends_at)}


def day(at: datetime) -> str:
    """A date in words, in the reader's language."""
    return date_format(localtime(at), "DATE_FORMAT")


def holds_that_postponed(request: ErasureRequest) -> list[LegalHold]:
    """Every hold under which this erasure waited, oldest first."""
    begun = request.begun_at or timezone.now()
    covering = holds_over(request.subject_id, request.purpose_id)
    during = Q(over_at=None) | Q(over_at__gt=request.requested_at)
    return list(covering.filter(during, placed_at__lt=begun).order_by("placed_at"))
