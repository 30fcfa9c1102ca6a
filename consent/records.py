"""The only writer of consent history: events that grow, and the state row that flows lock.

Source of the event vocabulary: ISO/IEC TS 27560 through the W3C Data Privacy Vocabulary guide.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.actors import Actor
from audit_log.actions import Action, ReasonCode
from audit_log.entries import Draft
from audit_log.log import append
from consent.erasure import request_erasure
from consent.errors import (
    InvalidChoice,
    InvalidNotice,
    InvalidPurpose,
    NotTheSubject,
    WrongAge,
)
from consent.models import (
    ConsentEvent,
    ConsentState,
    ConsentStatus,
    DataCategory,
    DataSubject,
    ErasureCause,
    ErasureRequest,
    EventKind,
    Notice,
    Purpose,
    PurposeState,
)
from consent.notice_pages import page_in
from consent.recipients import tell_of_change
from vault.tags import Tagger, tagger


def subject_log_name(tags: Tagger) -> str:
    """How the log names a data subject who acts: by their tag, never by an account id."""
    return f"subject:{tags.subject().hex()}"


def require_subject(actor: Actor, subject: DataSubject) -> None:
    """Raise NotTheSubject unless the actor is this very person."""
    if actor.kind != "subject" or actor.id is None or actor.id != subject.user_id:
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
        raise InvalidChoice(
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
    """Let the state follow an event; every permit issued under the old version dies with this."""
    state.status = status
    state.version += 1
    state.event = event
    state.categories = event.categories
    state.notice = event.notice
    if state.valid_until != event.valid_until:  # one end, one reminder
        state.valid_until = event.valid_until
        state.remind_at, state.reminded_at = reminder_for(event), None
    state.restricted_at = None
    state.changed_at = event.at
    state.save()


def record_request(actor: Actor, subject: DataSubject, purpose: Purpose, method: str) -> None:
    """Write down that this person was asked; a given consent stays as it is.

    Raises InvalidChoice when their part in the purpose has ended for good.
    """
    require_not_ended(ConsentState.objects.filter(subject=subject, purpose=purpose).first())
    if DataSubject.objects.filter(pk=subject.pk).exclude(closed_at=None).exists():
        raise InvalidChoice(_("This person has closed their account."))
    tags = tagger(subject.id, purpose.id)
    with transaction.atomic():
        ensure_state(subject, purpose)
        state = lock_state(subject.id, purpose.id)
        event = write_event(state, EventKind.REQUESTED, by=actor.log_name(), method=method)
        append(
            Draft(
                action=Action.CONSENT_REQUEST,
                actor=actor.log_name(),
                purpose_id=purpose.id,
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


def check_choices(purpose: Purpose, categories: list[str]) -> list[str]:
    """The chosen categories in the purpose's order; raises InvalidChoice on anything else."""
    unknown = sorted(set(categories) - set(purpose.categories))
    if unknown:
        raise InvalidChoice(
            _("These data categories are not part of this purpose: %(names)s.")
            % {"names": ", ".join(unknown)}
        )
    if DataCategory.MEDIA not in categories:
        raise InvalidChoice(
            _(
                "Without photographs of your face this study can do nothing: "
                "choose them, or say no to the study."
            )
        )
    return [category for category in purpose.categories if category in categories]


def language_read(shown: QuerySet[ConsentEvent]) -> str:
    """The language of the page that was shown last; empty when none was."""
    last = shown.order_by("-sequence").first()
    return last.language if last else ""


def give_consent(
    actor: Actor,
    subject: DataSubject,
    notice: Notice,
    categories: list[str],
    of_age: bool | None = None,
) -> ConsentEvent:
    """The data subject consents to the ticked categories under the notice they were shown.

    ``of_age``: whether they say that they are old enough to say yes alone. Where children may take part
    they have to say so. Raises NotTheSubject, InvalidPurpose, InvalidNotice, InvalidChoice or WrongAge;
    then nothing has changed.
    """
    require_subject(actor, subject)
    purpose = notice.purpose
    chosen = check_choices(purpose, categories)
    require_of_age(purpose, of_age)
    tags = tagger(subject.id, purpose.id)
    with transaction.atomic():
        state = lock_state(subject.id, purpose.id)
        now = timezone.now()
        return write_yes(
            state,
            tags,
            notice,
            chosen,
            method="web",
            valid_until=now + timedelta(days=state.purpose.consent_validity_days),
            at=now,
        )


def require_of_age(purpose: Purpose, of_age: bool | None) -> None:
    """Raise WrongAge for whoever says that they are too young to say yes alone."""
    if of_age is None and purpose.guardian_allowed:
        raise InvalidChoice(_("Please say first whether you are old enough to say yes alone."))
    if of_age is False:
        raise WrongAge(
            _("Only people of %(age)s or older may say yes alone. Nothing was recorded.")
            % {"age": purpose.minimum_age}
        )


def write_yes(
    state: ConsentState,
    tags: Tagger,
    notice: Notice,
    chosen: list[str],
    *,
    method: str,
    valid_until: datetime,
    at: datetime,
) -> ConsentEvent:
    """Write the person's own yes on the locked state; raises what stands in its way."""
    language = require_read(state, notice)
    require_erased(state.subject, state.purpose, chosen)
    dropped = dropped_categories(state, chosen)
    event = write_event(
        state,
        kind_of_yes(state, notice, chosen),
        by="subject",
        method=method,
        categories=chosen,
        notice=notice,
        valid_until=valid_until,
        at=at,
        language=language,
    )
    move_state(state, ConsentStatus.GIVEN, event)
    append_consent_entry(Action.CONSENT_GIVE, tags, event)
    erase_categories(event, tags, dropped)
    return event


def require_read(state: ConsentState, notice: Notice) -> str:
    """The language in which the person was shown this notice, which must be the one in force.

    Raises InvalidPurpose unless the purpose is open, and InvalidNotice for an earlier or an unread notice.
    """
    if state.purpose.state != PurposeState.OPEN:
        raise InvalidPurpose(_("This purpose is not open; nobody can consent to it now."))
    shown = ConsentEvent.objects.filter(
        subject_id=state.subject_id,
        purpose_id=state.purpose_id,
        kind=EventKind.NOTICE_SHOWN,
        notice=notice,
    )
    newest = state.purpose.notices.order_by("-version").values_list("version", flat=True).first()
    if notice.version != newest or not shown.exists():
        raise InvalidNotice(_("The privacy notice has changed: please read the current one."))
    return language_read(shown)


def require_erased(subject: DataSubject, purpose: Purpose, chosen: list[str]) -> None:
    """Raise InvalidChoice while an erasure waits that what is recorded from now on would fall to."""
    open_ones = ErasureRequest.objects.filter(
        subject=subject,
        purpose=purpose,
        recording_id=None,
        category__in=["", *chosen],
        rows_removed_at=None,
    )
    if open_ones.held().exists():
        raise InvalidChoice(
            _(
                "A legal hold postpones the erasure of your earlier data. You can say yes again when "
                "they are erased; until then nobody can open them."
            )
        )
    if open_ones.exists():
        raise InvalidChoice(
            _("Your earlier data are still being erased. Please try again in a minute.")
        )


def kind_of_yes(state: ConsentState, notice: Notice, chosen: list[str]) -> EventKind:
    """What a yes is: the first one, one under another notice or with other choices, or the same again."""
    if state.status not in {ConsentStatus.GIVEN, ConsentStatus.EXPIRED} or state.notice is None:
        return EventKind.GIVEN
    same = state.notice.version == notice.version and state.categories == chosen
    return EventKind.REAFFIRMED if same else EventKind.RENEWED


def dropped_categories(state: ConsentState, chosen: list[str]) -> list[str]:
    """What a standing consent covered and the new choice does not."""
    if state.status != ConsentStatus.GIVEN:
        return []
    return [category for category in state.categories if category not in chosen]


def erase_categories(
    event: ConsentEvent, tags: Tagger, categories: list[str]
) -> list[ErasureRequest]:
    """File the erasure of what was measured under these categories, in the flow's transaction."""
    return [
        request_erasure(
            subject_id=event.subject_id,
            purpose_id=event.purpose_id,
            cause=ErasureCause.NARROWED,
            actor_name=subject_log_name(tags),
            reason=ReasonCode.WITHDRAWAL,
            tags=tags,
            category=category,
        )
        for category in categories
    ]


def refuse_consent(
    actor: Actor, subject: DataSubject, notice: Notice, method: str = "web"
) -> ConsentEvent:
    """The data subject says no, or for a child one of the two. Nothing was collected; nothing is erased."""
    require_subject(actor, subject)
    tags = tagger(subject.id, notice.purpose_id)
    with transaction.atomic():
        state = lock_state(subject.id, notice.purpose_id)
        if state.status == ConsentStatus.GIVEN:
            raise InvalidChoice(
                _("You have consented to this study: withdraw instead of refusing.")
            )
        shown = ConsentEvent.objects.filter(
            subject=subject, notice=notice, kind=EventKind.NOTICE_SHOWN
        )
        event = write_event(
            state,
            EventKind.REFUSED,
            by="subject",
            method=method,
            notice=notice,
            language=language_read(shown),
        )
        move_state(state, ConsentStatus.REFUSED, event)
        append_consent_entry(Action.CONSENT_REFUSE, tags, event)
    return event


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
