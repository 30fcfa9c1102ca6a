"""Asking anew after a change of substance: who consented to what was before is told, once, in words.

Their consent stays as it is until its own end, tied to what they read: an open purpose itself never
changes, so nothing is done under the new version that the old one did not allow.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import override

from accounts.actors import SYSTEM_KEEPER
from audit_log.actions import Action
from audit_log.entries import Draft
from audit_log.log import append
from consent.messages import SealedMessage, has_address, key_of, language_for, seal_message
from consent.models import (
    ConsentEvent,
    ConsentState,
    ConsentStatus,
    DataSubject,
    EventKind,
    Notice,
    Purpose,
    PurposeState,
)
from consent.notices import last_substantive
from consent.records import lock_state, notice_in_force, write_event
from consent.row_by_row import do_each
from vault.keyring import destroy_data_keys, keys_kept_if_filed
from vault.tags import tagger

METHOD = KIND = "renewal"
AT_ONCE = 100


def ask_for_renewals() -> int:
    """Ask everybody whose consent is older than the last change of substance; each once. Keeper only."""
    open_ones = Purpose.objects.filter(state=PurposeState.OPEN).values_list("id", flat=True)
    due = [
        state
        for purpose_id, version in last_substantive(open_ones).items()
        if version > 1
        for state in not_yet_asked(purpose_id, version)
    ]
    return do_each(due, ask_one)


def not_yet_asked(purpose_id: UUID, version: int) -> list[ConsentState]:
    """The standing consents under an earlier version whose people were not asked about this one."""
    asked = ConsentEvent.objects.filter(
        subject_id=OuterRef("subject_id"),
        purpose_id=purpose_id,
        kind=EventKind.REQUESTED,
        method=METHOD,
        notice__version__gte=version,
    )
    return list(
        ConsentState.objects.filter(
            ~Exists(asked),
            purpose_id=purpose_id,
            status=ConsentStatus.GIVEN,
            notice__version__lt=version,
        )
        .select_related("purpose", "subject__user")
        .order_by("id")[:AT_ONCE]
    )


def ask_one(state: ConsentState) -> int:
    """Ask one person about the change of substance; 0 when their consent changed meanwhile."""
    language = language_for(state.subject, state.purpose)
    notice = notice_in_force(state.purpose, language)
    message = (
        letter(state.subject, state.purpose, notice, language)
        if has_address(state.subject)
        else None
    )
    return ask(state, notice, message, METHOD)


def ask(
    state: ConsentState,
    notice: Notice,
    message: SealedMessage | None,
    method: str,
    **marks: datetime,
) -> int:
    """Write down that this person is asked anew, and queue the message if there is one.

    ``marks`` are set on the state with it. Returns 0, having done nothing, when the consent changed since
    ``state`` was read.
    """
    with keys_kept_if_filed(key_of(message)):
        still = file_asking(state, notice, message, method, marks)
    if not still and message:  # whoever is still due is asked next time
        destroy_data_keys([message.row.data_key_id])
    return int(still)


def file_asking(
    state: ConsentState,
    notice: Notice,
    message: SealedMessage | None,
    method: str,
    marks: dict[str, datetime],
) -> bool:
    """Event, marks, entry and message in one transaction; False when the consent changed meanwhile."""
    tags = tagger(state.subject_id, state.purpose_id)
    with transaction.atomic():
        held = lock_state(state.subject_id, state.purpose_id)
        still = held.version == state.version and held.sequence == state.sequence
        if still:
            event = write_event(
                held, EventKind.REQUESTED, by="system", method=method, notice=notice
            )
            for name, value in marks.items():
                setattr(held, name, value)
            held.save(update_fields=list(marks))
            append(
                Draft(
                    action=Action.CONSENT_REQUEST,
                    actor=SYSTEM_KEEPER.log_name(),
                    purpose_id=state.purpose_id,
                    subject_tag=tags.subject(),
                    consent_tag=tags.consent_record(event.id),
                    policy_version=str(notice.id),
                )
            )
            if message:
                message.file()
    return still


def letter(subject: DataSubject, purpose: Purpose, notice: Notice, language: str) -> SealedMessage:
    """What the person is written, sealed and not yet filed."""
    with override(language):
        heading = _("The notice has changed: %(purpose)s") % {"purpose": purpose.name}
        paragraphs = [
            _("The privacy notice of “%(purpose)s” has changed since you said yes.")
            % {"purpose": purpose.name},
            notice.change,
            _(
                "Your consent stands as you gave it, for what you read then, until it ends by itself. "
                "Please read the new version and say yes to it or withdraw, whichever you like:"
            ),
            settings.SITE_URL + reverse("consent_notice", args=[purpose.id]),
        ]
    return seal_message(
        SYSTEM_KEEPER,
        subject,
        purpose,
        kind=KIND,
        language=language,
        heading=heading,
        text="\n\n".join(paragraphs),
    )
