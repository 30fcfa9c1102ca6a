"""The only writer of consent history: events that grow, and the state row that flows lock.

Source of the event vocabulary: ISO/IEC TS 27560 through the W3C Data Privacy Vocabulary guide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.actors import Actor
from audit_log.actions import Action
from audit_log.entries import Draft
from audit_log.log import append
from consent.errors import (
    InvalidChoice,
    InvalidNotice,
    NotTheSubject,
)
from consent.models import (
    ConsentEvent,
    ConsentState,
    ConsentStatus,
    DataSubject,
    EventKind,
    Notice,
    Purpose,
)
from consent.notice_pages import page_in
from consent.notifications import tell_of_change
from consent.open_accounts import not_asked_again, require_open_account
from vault.tags import Tagger, tagger


def subject_log_name(tags: Tagger) -> str:
    """How the log names a data subject who acts: by their tag, never by an account id."""
    return f"subject:{tags.subject().hex()}"


def acting_name(actor: Actor, tags: Tagger) -> str:
    """How the log names whoever acts; a data subject by the tag of the purpose or account at hand."""
    return subject_log_name(tags) if actor.kind == "subject" else actor.log_name()


def is_own(actor: Actor, subject: DataSubject) -> bool:
    """Whether the actor is this very person. A closed account has no user, and nobody is its person."""
    return actor.kind == "subject" and actor.id is not None and actor.id == subject.user_id


def require_subject(actor: Actor, subject: DataSubject) -> None:
    """Raise NotTheSubject unless the actor is this very person."""
    if not is_own(actor, subject):
        raise NotTheSubject(
            _("Consent is the data subject's own act; nobody can give it for them.")
        )


def lock_state(subject_id: UUID, purpose_id: UUID) -> ConsentState:
    """Lock the state row; inside a transaction only. The caller's questions come after the lock.

    On SQLite the IMMEDIATE transaction is the lock and ``FOR UPDATE`` is not spoken.
    """
    return (
        ConsentState.objects.select_for_update(of=("self",))
        .select_related("purpose")
        .get(subject_id=subject_id, purpose_id=purpose_id)
    )


def ensure_state(subject: DataSubject, purpose: Purpose) -> None:
    """Make the state row when a purpose first asks this person; a second call changes nothing."""
    ConsentState.objects.get_or_create(
        subject=subject,
        purpose=purpose,
        defaults={"status": ConsentStatus.REQUESTED, "changed_at": timezone.now()},
    )


def require_not_ended(state: ConsentState | None) -> None:
    """Raise InvalidChoice when everything of this person in this purpose was erased for good.

    Then the key of their tags is gone too, so that nothing more could be written about them.
    """
    if state is not None and state.tags_ended_at is not None:
        raise part_has_ended()


def part_has_ended() -> InvalidChoice:
    """The refusal to write anything more about somebody."""
    return InvalidChoice(
        _(
            "This person's part in this study has ended: everything was erased, also what links "
            "the access log to them. It cannot be taken up again."
        )
    )


def write_event(
    state: ConsentState,
    kind: EventKind,
    *,
    by: str,
    method: str,
    categories: list[str] | None = None,
    notice: Notice | None = None,
    valid_until: datetime | None = None,
    at: datetime | None = None,
    language: str = "",
) -> ConsentEvent:
    """Add one event after the locked state's last and move the sequence on; recipients are told.

    ``language`` is that of the notice's page, which differs from language to language in its hash. Raises
    InvalidChoice when the person's part in the purpose has ended for good.
    """
    require_not_ended(state)
    page = page_in(notice, language) if notice else None
    state.sequence += 1
    event = ConsentEvent.objects.create(
        subject_id=state.subject_id,
        purpose_id=state.purpose_id,
        sequence=state.sequence,
        kind=kind,
        at=at or timezone.now(),
        by=by,
        method=method,
        categories=categories or [],
        notice=notice,
        notice_sha256=page.sha256 if page else "",
        language=page.language if page else "",
        valid_until=valid_until,
    )
    state.save(update_fields=["sequence"])
    tell_of_change(event)
    return event


REMIND_BEFORE = timedelta(days=14)


def reminder_for(event: ConsentEvent) -> datetime | None:
    """When to ask before a consent ends: 14 days ahead, of a short one in its last quarter."""
    if event.valid_until is None:
        return None
    return event.valid_until - min(REMIND_BEFORE, (event.valid_until - event.at) / 4)


def move_state(state: ConsentState, status: ConsentStatus, event: ConsentEvent) -> None:
    """Let the state follow an event; every permit issued under the old version dies with this.

    A pause stands until the person ends it or the consent ends: no yes does.
    """
    state.status = status
    state.version += 1
    state.event = event
    state.categories = event.categories
    state.notice = event.notice
    if state.valid_until != event.valid_until:  # one end, one reminder
        state.valid_until = event.valid_until
        state.remind_at, state.reminded_at = reminder_for(event), None
    if status != ConsentStatus.GIVEN:
        state.restricted_at = None
    state.changed_at = event.at
    state.save()


Check = Callable[[ConsentState], None]
"""Asked under the lock of a consent state; raises when the person is not to be asked."""


def anybody(_state: ConsentState) -> None:
    """For whoever may ask everybody, whatever they answered."""


@contextmanager
def locked_to_ask(
    subject: DataSubject, purpose: Purpose, check: Check = anybody
) -> Iterator[ConsentState]:
    """A transaction with the locked state of somebody who may be asked; the first time it is made.

    Raises AlreadyAnswered for an account that was closed meanwhile, and what ``check`` raises.
    """
    with transaction.atomic():
        require_open_account(subject.id)
        ensure_state(subject, purpose)
        state = lock_state(subject.id, purpose.id)
        check(state)
        yield state


def record_request(
    actor: Actor,
    subject: DataSubject,
    purpose: Purpose,
    method: str,
    check: Check = anybody,
) -> None:
    """Write down that this person was asked; a given consent stays as it is.

    Raises InvalidChoice when their part in the purpose has ended for good, AlreadyAnswered for a closed
    account, and what ``check`` raises.
    """
    require_can_be_asked(subject, purpose)
    tags = tagger(subject.id, purpose.id)
    with locked_to_ask(subject, purpose, check) as state:
        write_asking(actor, state, method, tags)


def require_can_be_asked(subject: DataSubject, purpose: Purpose) -> None:
    """Raise InvalidChoice for whose part in the purpose has ended, AlreadyAnswered for a closed account.

    Before anything is sealed for them; ``locked_to_ask`` asks again.
    """
    require_not_ended(ConsentState.objects.filter(subject=subject, purpose=purpose).first())
    if DataSubject.objects.filter(pk=subject.pk).exclude(closed_at=None).exists():
        raise not_asked_again()


def require_asked(state: ConsentState) -> None:
    """Raise InvalidChoice where the question was taken back: there is nothing to answer."""
    if state.status == ConsentStatus.CANCELLED:
        raise InvalidChoice(_("The study has taken its question back; there is nothing to answer."))


def write_asking(actor: Actor, state: ConsentState, method: str, tags: Tagger) -> None:
    """Event and entry of asking the person of this locked state, in the caller's transaction.

    Whose question was taken back is asked anew by it.
    """
    event = write_event(state, EventKind.REQUESTED, by=actor.log_name(), method=method)
    if state.status == ConsentStatus.CANCELLED:
        move_state(state, ConsentStatus.REQUESTED, event)
    append(
        Draft(
            action=Action.CONSENT_REQUEST,
            actor=actor.log_name(),
            purpose_id=state.purpose_id,
            subject_tag=tags.subject(),
            consent_tag=tags.consent_record(event.id),
        )
    )


def record_notice_shown(
    actor: Actor, subject: DataSubject, notice: Notice, language: str = ""
) -> None:
    """Write down that this version of the notice was on this person's screen, in this language."""
    require_subject(actor, subject)
    tags = tagger(subject.id, notice.purpose_id)
    with transaction.atomic():
        state = lock_state(subject.id, notice.purpose_id)
        event = write_event(
            state,
            EventKind.NOTICE_SHOWN,
            by="subject",
            method="web",
            notice=notice,
            language=language,
        )
        append(
            Draft(
                action=Action.NOTICE_SHOW,
                actor=subject_log_name(tags),
                purpose_id=notice.purpose_id,
                subject_tag=tags.subject(),
                consent_tag=tags.consent_record(event.id),
                policy_version=str(notice.id),
            )
        )


def notice_in_force(purpose: Purpose, language: str) -> Notice:
    """The newest published notice, in the language asked for or else in English or any."""
    newest = purpose.notices.order_by("-version").first()
    if newest is None:
        raise InvalidNotice(_("This purpose has no published privacy notice."))
    of_version = {n.language: n for n in purpose.notices.filter(version=newest.version)}
    return of_version.get(language) or of_version.get("en") or newest


def append_consent_entry(action: Action, tags: Tagger, event: ConsentEvent) -> UUID:
    """The log entry of a subject's own act, in the flow's transaction; returns the entry id."""
    return append(
        Draft(
            action=action,
            actor=subject_log_name(tags),
            purpose_id=event.purpose_id,
            subject_tag=tags.subject(),
            consent_tag=tags.consent_record(event.id),
            policy_version=str(event.notice_id or ""),
        )
    ).entry_id
