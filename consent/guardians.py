"""Children: a guardian consents, and then the child says yes in words of its own, or there is no consent.

Both acts are events of their own. Of the guardian nothing is kept but that somebody said to hold parental
responsibility, and of the child no birth date: only in which month it comes of age, and that only as the
end of its consent, where it comes before the usual one. Either of the two can withdraw, on the same page.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, time, timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.timezone import localdate, make_aware
from django.utils.translation import gettext as _

from accounts.actors import Actor
from audit_log.actions import Action
from consent.errors import InvalidChoice, WrongAge
from consent.giving import (
    check_choices,
    require_erased,
    require_given_up,
    require_read,
    write_yes,
)
from consent.methods import ASSENT, GUARDIAN
from consent.models import (
    ConsentEvent,
    ConsentState,
    DataSubject,
    EventKind,
    Notice,
    Purpose,
)
from consent.open_accounts import require_open_to_themself
from consent.records import append_consent_entry, lock_state, require_subject, write_event
from vault.tags import tagger

WAITS_FOR = timedelta(hours=24)
"""How long a guardian's yes waits for the child's."""


def require_guardians(purpose: Purpose) -> None:
    """Raise WrongAge for a purpose in which nobody under its minimum age takes part."""
    if not purpose.guardian_allowed:
        raise WrongAge(
            _("Only people of %(age)s or older may say yes alone. Nothing was recorded.")
            % {"age": purpose.minimum_age}
        )


def comes_of_age(purpose: Purpose, year: int, month: int) -> datetime:
    """The end of the month in which the child reaches the minimum age: the day in it is not asked.

    Raises WrongAge for a month that is past (then the child is old enough to decide alone), and for one so
    far off that the child is younger than anybody who may take part.
    """
    first, today = date(year, month, 1), localdate()
    if first < today.replace(day=1):
        raise WrongAge(
            _("Whoever turned %(age)s before this month says yes alone.")
            % {"age": purpose.minimum_age}
        )
    years = purpose.minimum_age - purpose.youngest
    if (first.year - today.year) * 12 + first.month - today.month > years * 12:
        raise WrongAge(
            _("Children under %(age)s cannot take part, also not with a guardian.")
            % {"age": purpose.youngest}
        )
    following = date(year + month // 12, month % 12 + 1, 1)
    return make_aware(datetime.combine(following, time.min))


def guardian_agrees(
    actor: Actor,
    subject: DataSubject,
    notice: Notice,
    categories: list[str],
    *,
    responsible: bool,
    of_age_at: datetime,
    gives_up: Collection[str] = (),
) -> ConsentEvent:
    """A guardian, beside the child, consents to the ticked categories. It is no consent before the child's.

    ``of_age_at`` from ``comes_of_age``: the consent ends then, or after its usual time if that is earlier.
    ``gives_up`` as in ``give_consent``. Raises what that raises, and InvalidChoice without the statement of
    responsibility.
    """
    require_subject(actor, subject)
    purpose = notice.purpose
    require_guardians(purpose)
    if not responsible:
        raise InvalidChoice(
            _("Please confirm that you hold parental responsibility; else you cannot say yes.")
        )
    chosen = check_choices(purpose, categories)
    tags = tagger(subject.id, purpose.id)
    with transaction.atomic():
        require_open_to_themself(subject.id)
        state = lock_state(subject.id, purpose.id)
        language = require_read(state, notice)
        require_erased(state, chosen)
        require_given_up(state, chosen, gives_up)
        now = timezone.now()
        event = write_event(
            state,
            EventKind.GUARDIAN,
            by="guardian",
            method=GUARDIAN,
            categories=chosen,
            notice=notice,
            valid_until=min(of_age_at, now + timedelta(days=purpose.consent_validity_days)),
            at=now,
            language=language,
        )
        append_consent_entry(Action.CONSENT_GUARDIAN, tags, event)
    return event


def waiting_for_assent(state: ConsentState) -> ConsentEvent | None:
    """The guardian's yes to which the child has not answered yet, if it still waits.

    Any answer since, a day, and the end that the guardian's yes has itself, end the wait.
    """
    last = (
        ConsentEvent.objects.filter(subject_id=state.subject_id, purpose_id=state.purpose_id)
        .exclude(kind__in=[EventKind.REQUESTED, EventKind.NOTICE_SHOWN])
        .select_related("notice")
        .order_by("-sequence")
        .first()
    )
    if last is None or last.kind != EventKind.GUARDIAN:
        return None
    now = timezone.now()
    lasts = last.valid_until is not None and last.valid_until > now
    return last if lasts and last.at > now - WAITS_FOR else None


def child_assents(actor: Actor, subject: DataSubject, purpose: Purpose) -> ConsentEvent:
    """The child says yes to what its guardian agreed to: from now on there is a consent.

    Raises InvalidChoice when no guardian's yes waits for it, and what ``give_consent`` raises.
    """
    require_subject(actor, subject)
    tags = tagger(subject.id, purpose.id)
    with transaction.atomic():
        require_open_to_themself(subject.id)
        state = lock_state(subject.id, purpose.id)
        agreed = waiting_for_assent(state)
        if agreed is None or agreed.notice is None or agreed.valid_until is None:
            raise InvalidChoice(_("First your parent or guardian has to say yes, here and today."))
        return write_yes(
            state,
            tags,
            agreed.notice,
            agreed.categories,
            method=ASSENT,
            valid_until=agreed.valid_until,
            at=timezone.now(),
            gives_up=state.categories,  # the guardian was told, and the child's page names what stays
        )
