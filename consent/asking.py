"""Asking a person, asking once more, and taking the question back: never after a no, and never to pester.

A person has one letter box, whoever writes into it, so letters of operators count too. What may be asked is
decided under the lock of the consent state: an answer that comes in between wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.actors import Actor
from audit_log.actions import Action
from audit_log.entries import Draft
from audit_log.log import append
from consent.errors import (
    AlreadyAnswered,
    AskedOftenEnough,
    AskedTooSoon,
    NoAddress,
    QuestionTakenBack,
    ReferenceTaken,
    UnknownSubject,
)
from consent.invitations import BY_MAIL, require_open, revoke_open, send_invitation
from consent.messages import has_address
from consent.models import (
    ConsentEvent,
    ConsentState,
    ConsentStatus,
    Contact,
    DataSubject,
    EventKind,
    Purpose,
    SubjectReference,
)
from consent.open_accounts import not_asked_again
from consent.records import lock_state, move_state, record_request, write_event
from consent.subjects import TAKEN, email_index, find_reference, register_subject
from vault.tags import tagger

PAUSE = timedelta(days=1)
"""How long after a letter no program sends the next one."""
RESENT_AT_MOST = 3
UNANSWERED = frozenset({ConsentStatus.REQUESTED, ConsentStatus.EXPIRED})
"""Where a question is open; also after an end by date, because silence was no no."""
NO_ANSWERS = frozenset(
    {EventKind.REQUESTED, EventKind.NOTICE_SHOWN, EventKind.GUARDIAN, EventKind.CANCELLED}
)


@dataclass(frozen=True)
class Letters:
    """The letters in which somebody was asked since they last answered, or since their consent ended."""

    sent: Sequence[datetime]

    @property
    def left(self) -> int:
        """How many a program may still have sent."""
        return max(0, RESENT_AT_MOST + 1 - len(self.sent))

    @property
    def not_before(self) -> datetime | None:
        """When the next one may be; None when none was sent."""
        return self.sent[-1] + PAUSE if self.sent else None


def letters_of(events: Sequence[ConsentEvent]) -> Letters:
    """The letters among all the events of one consent, which come in their order."""
    since = 0
    for place, event in enumerate(events):
        if event.kind not in NO_ANSWERS:
            since = place + 1
    asked = [event for event in events[since:] if event.kind == EventKind.REQUESTED]
    return Letters([event.at for event in asked if event.method == BY_MAIL])


def events_of(state: ConsentState) -> list[ConsentEvent]:
    """All the events of a consent in their order."""
    events = ConsentEvent.objects.filter(subject_id=state.subject_id, purpose_id=state.purpose_id)
    return list(events.order_by("sequence"))


def require_not_pestered(state: ConsentState) -> None:
    """Raise AskedOftenEnough or AskedTooSoon where another letter would pester the person."""
    letters, now = letters_of(events_of(state)), timezone.now()
    if not letters.left:
        raise AskedOftenEnough(
            _("This person was asked often enough by letter and has not answered.")
        )
    if letters.not_before is not None and now < letters.not_before:
        raise AskedTooSoon(
            _("This person was written to less than a day ago."), letters.not_before - now
        )


def require_unanswered(state: ConsentState) -> None:
    """Raise AlreadyAnswered after a yes, a no or a withdrawal, QuestionTakenBack after a cancel."""
    if state.status == ConsentStatus.CANCELLED:
        raise QuestionTakenBack(_("This question was taken back; ask anew instead."))
    if state.status not in UNANSWERED:
        raise not_asked_again()


def ask(actor: Actor, purpose: Purpose, reference: str, email: str = "") -> SubjectReference:
    """File a person if they are new, and ask them: by letter with an address, else an operator does.

    Somebody who is filed is asked only where they never were, or the question was taken back. Raises
    ReferenceTaken otherwise, what ``register_subject`` and ``send_invitation`` raise, and what stands
    against another letter.
    """
    require_open(purpose)
    subject = filed_to_ask(purpose, reference, email)
    if subject is None:
        subject = register_subject(actor, purpose, reference=reference, email=email)
    if email:
        send_invitation(actor, subject, purpose, require_letter_allowed)
    else:
        record_request(actor, subject, purpose, "operator", require_askable)
    return SubjectReference.objects.get(subject=subject, purpose=purpose)


def filed_to_ask(purpose: Purpose, reference: str, email: str) -> DataSubject | None:
    """Whom the purpose calls so, if they may be asked; None for nobody yet. Raises ReferenceTaken.

    The address must be the one that is filed: with another one somebody else would get into the account.
    """
    try:
        subject = find_reference(purpose.id, reference).subject
    except UnknownSubject:
        return None
    state = ConsentState.objects.filter(subject=subject, purpose=purpose).first()
    free = state is None or state.status == ConsentStatus.CANCELLED
    if not free or (email and not is_address_of(subject, email)):
        raise ReferenceTaken(TAKEN)
    return subject


def is_address_of(subject: DataSubject, email: str) -> bool:
    """Whether this is the address under which the person is filed."""
    return Contact.objects.filter(subject=subject, email_index=email_index(email)).exists()


def require_askable(state: ConsentState) -> None:
    """Raise AlreadyAnswered where somebody is not asked anew by a program."""
    if state.status != ConsentStatus.CANCELLED:
        require_unanswered(state)


def require_letter_allowed(state: ConsentState) -> None:
    """Raise where somebody is not asked anew by a letter."""
    require_askable(state)
    require_not_pestered(state)


def ask_again(actor: Actor, subject: DataSubject, purpose: Purpose) -> None:
    """Send a new letter with a new link; the old link works no more.

    Raises AlreadyAnswered, QuestionTakenBack, NoAddress, AskedTooSoon, AskedOftenEnough, or what
    ``send_invitation`` raises.
    """
    state = ConsentState.objects.get(subject=subject, purpose=purpose)
    require_may_be_reminded(state)
    if not has_address(subject):
        raise NoAddress(_("No address of this person is filed; an operator hands a link over."))
    send_invitation(actor, subject, purpose, require_may_be_reminded)


def require_may_be_reminded(state: ConsentState) -> None:
    """Raise unless the question is open and another letter does not pester."""
    require_unanswered(state)
    require_not_pestered(state)


def take_back(actor: Actor, subject: DataSubject, purpose: Purpose) -> None:
    """Take the question back: the link dies, and nobody is asked until somebody asks anew.

    Doing it again changes nothing. Raises AlreadyAnswered where there is no open question.
    """
    tags = tagger(subject.id, purpose.id)
    with transaction.atomic():
        state = lock_state(subject.id, purpose.id)
        if state.status == ConsentStatus.CANCELLED:
            return
        if state.status != ConsentStatus.REQUESTED:
            raise AlreadyAnswered(_("This person has answered; there is no question to take back."))
        event = write_event(state, EventKind.CANCELLED, by=actor.log_name(), method=actor.kind)
        move_state(state, ConsentStatus.CANCELLED, event)
        revoke_open(subject.id, purpose.id, event.at)
        append(
            Draft(
                action=Action.CONSENT_CANCEL,
                actor=actor.log_name(),
                purpose_id=purpose.id,
                subject_tag=tags.subject(),
                consent_tag=tags.consent_record(event.id),
            )
        )
