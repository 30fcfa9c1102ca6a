"""Saying yes and saying no: what the person answers to a notice, checked and written down in one step."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.actors import Actor
from audit_log.actions import Action, ReasonCode
from consent.erasure import request_erasure
from consent.errors import (
    InvalidChoice,
    InvalidNotice,
    InvalidPurpose,
    PartsLeftOut,
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
from consent.open_accounts import require_open_to_themself
from consent.records import (
    append_consent_entry,
    lock_state,
    move_state,
    require_asked,
    require_subject,
    subject_log_name,
    write_event,
)
from consent.retention import is_expired
from vault.tags import Tagger, tagger


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
    *,
    gives_up: Collection[str] = (),
) -> ConsentEvent:
    """The data subject consents to the ticked categories under the notice they were shown.

    ``of_age``: whether they say that they are old enough to say yes alone. Where children may take part
    they have to say so. ``gives_up``: the standing categories that they know to be erased by this choice.
    Raises NotTheSubject, InvalidPurpose, InvalidNotice, InvalidChoice, PartsLeftOut or WrongAge; then
    nothing has changed.
    """
    require_subject(actor, subject)
    purpose = notice.purpose
    chosen = check_choices(purpose, categories)
    require_of_age(purpose, of_age)
    tags = tagger(subject.id, purpose.id)
    with transaction.atomic():
        require_open_to_themself(subject.id)
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
            gives_up=gives_up,
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
    gives_up: Collection[str] = (),
) -> ConsentEvent:
    """Write the person's own yes on the locked state; raises what stands in its way."""
    language = require_read(state, notice)
    require_erased(state, chosen)
    dropped = require_given_up(state, chosen, gives_up)
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

    Raises InvalidPurpose unless the purpose is open, InvalidNotice for an earlier or an unread notice, and
    InvalidChoice where the question was taken back.
    """
    require_asked(state)
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


def require_erased(state: ConsentState, chosen: list[str]) -> None:
    """Raise InvalidChoice while an erasure waits that what is recorded from now on would fall to.

    A consent past its date counts as one, also where the keeper has not ended it yet: a yes would let what
    was recorded under it live again.
    """
    open_ones = ErasureRequest.objects.filter(
        subject_id=state.subject_id,
        purpose_id=state.purpose_id,
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
    if is_expired(state) or open_ones.exists():
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


def require_given_up(
    state: ConsentState, chosen: list[str], gives_up: Collection[str]
) -> list[str]:
    """What the choice erases. Raises PartsLeftOut when the person was not told so of each part."""
    dropped = dropped_categories(state, chosen)
    if not set(dropped) <= set(gives_up):
        raise PartsLeftOut(dropped)
    return dropped


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
            reason=ReasonCode.PART_STOPPED,
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
        require_asked(state)
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
