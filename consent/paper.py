"""A consent signed on paper: an operator attests it and attaches the scan, and is shut out for ever.

It is a method of collection of its own, marked as such in every event, receipt and page. The person gets
an invitation all the same, to see what was entered for them and to withdraw as everybody does. Whoever
attests never opens anything of this person again (``consent.rules``), so that nobody can invent a consent
to read under it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.timezone import localdate, make_aware
from django.utils.translation import gettext as _
from uuid_utils.compat import uuid7

from accounts.actors import Actor
from accounts.models import User
from accounts.permissions import ROLE_PERMISSIONS
from audit_log.actions import Action
from audit_log.entries import Draft
from audit_log.log import append
from consent.enforcement import AccountUse, require_account_use
from consent.errors import InvalidNotice, InvalidPaper, InvalidPurpose
from consent.giving import check_choices, kind_of_yes, require_erased
from consent.invitations import SealedInvitation
from consent.messages import key_of
from consent.methods import PAPER
from consent.models import (
    ConsentEvent,
    ConsentState,
    ConsentStatus,
    Contact,
    DataSubject,
    Invitation,
    Notice,
    PaperConsent,
    Purpose,
    PurposeState,
)
from consent.open_accounts import require_open_account
from consent.paper_invitations import seal_invitation
from consent.records import lock_state, move_state, write_event
from consent.scans import Scan, paper_row, paper_unit
from consent.sealed_texts import seal_new
from consent.ways_in import end_ways_in
from vault.keyring import keys_kept_if_filed
from vault.tags import tagger

MAY_BE_ATTESTED = frozenset({ConsentStatus.REQUESTED, ConsentStatus.EXPIRED})
"""Whoever answered by themself, yes or no, is not answered for."""


@dataclass(frozen=True)
class SignedPaper:
    """What was signed: which notice, which boxes were ticked, on which day, and the scan of it."""

    notice: Notice
    categories: list[str]
    signed_on: date
    scan: Scan


def check_paper(state: ConsentState, paper: SignedPaper) -> list[str]:
    """The ticked categories in the purpose's order; raises what makes this paper no consent."""
    purpose = state.purpose
    if purpose.state != PurposeState.OPEN:
        raise InvalidPurpose(_("This purpose is not open; nobody can consent to it now."))
    if not purpose.paper_allowed:
        raise InvalidPaper(_("This purpose takes no consent on paper."))
    if state.status not in MAY_BE_ATTESTED:
        raise InvalidPaper(
            _("This person has answered by themself; nobody answers for them on paper.")
        )
    newest = purpose.notices.order_by("-version").values_list("version", flat=True).first()
    if paper.notice.purpose_id != purpose.id or paper.notice.version != newest:
        raise InvalidNotice(
            _("The paper carries an earlier notice. Let the person read and sign the one in force.")
        )
    check_day(purpose, paper)
    return check_choices(purpose, paper.categories)


def require_address_of_others(actor: Actor, subject_id: UUID) -> None:
    """Raise InvalidPaper for whoever gave the person's address: letters and codes go where they said."""
    if Contact.objects.filter(subject_id=subject_id, filed_by=actor.log_name()).exists():
        raise InvalidPaper(
            _(
                "You gave this person's address, so a colleague enters the paper: letters and codes go "
                "where you said, and whoever attests may have no way in."
            )
        )


def check_day(purpose: Purpose, paper: SignedPaper) -> None:
    """Raise InvalidPaper unless the notice could be signed on that day, and the consent still lasts."""
    if paper.signed_on > localdate():
        raise InvalidPaper(_("The day of the signature is yet to come."))
    began = max(paper.notice.published_at, purpose.opened_at or paper.notice.published_at)
    if paper.signed_on < localdate(began):
        raise InvalidPaper(
            _("On that day nobody could sign this: the notice was published or opened later.")
        )
    if ends_at(purpose, paper.signed_on) <= timezone.now():
        raise InvalidPaper(_("What was signed then has ended by now. Let the person sign anew."))


def ends_at(purpose: Purpose, signed_on: date) -> datetime:
    """When a consent signed on this day ends: its days count from the signature, not from its entry."""
    return make_aware(datetime.combine(signed_on, time.min)) + timedelta(
        days=purpose.consent_validity_days
    )


@dataclass(frozen=True)
class Attested:
    """The event of the consent, and whether the person is written to; else somebody hands them a link."""

    event: ConsentEvent
    told: bool


def attest_paper(
    actor: Actor, operator: User, subject: DataSubject, purpose: Purpose, paper: SignedPaper
) -> Attested:
    """Enter what a person signed. The scan is sealed first, then event, state and entry in one step.

    The message to the person is sealed and filed with them, so that no consent stands of which they were
    not told. Links that an operator has seen stop working, and so do the sessions, passkeys and codes that
    anybody holds: whoever attests keeps no way in. Raises InvalidPaper, InvalidPurpose, InvalidNotice,
    InvalidChoice or AlreadyAnswered; then nothing has changed.
    """
    if actor.role is None or "consent.attest_paper" not in ROLE_PERMISSIONS[actor.role]:
        raise InvalidPaper(_("Only the study's staff attest a consent on paper."))
    require_address_of_others(actor, subject.id)
    found = ConsentState.objects.select_related("purpose").filter(subject=subject, purpose=purpose)
    check_paper(found.get(), paper)
    row = sealed_scan(operator, subject, purpose, paper)
    with keys_kept_if_filed(row.data_key_id):
        letter = seal_invitation(actor, subject, purpose)
        with keys_kept_if_filed(key_of(letter.message if letter else None)):
            event = file_paper(actor, row, subject, purpose, paper, letter)
    return Attested(event, told=letter is not None)


def sealed_scan(
    operator: User, subject: DataSubject, purpose: Purpose, paper: SignedPaper
) -> PaperConsent:
    """The row of the attestation, not yet saved, its scan sealed under a key of its own."""
    paper_id, unit = uuid7(), paper_unit(subject.id, purpose.id)
    permit = require_account_use(
        subject_id=subject.id,
        purpose_id=purpose.id,
        use=AccountUse.ATTEST,
        action=Action.CONSENT_ATTEST,
        object_kind="paper",
        object_id=paper_id,
    )
    sealed = seal_new(permit, unit, paper_row(paper_id), paper.scan.content)
    return PaperConsent(
        id=paper_id,
        subject=subject,
        attested_by=operator,
        signed_on=paper.signed_on,
        media_type=paper.scan.media_type,
        size=len(paper.scan.content),
        data_key_id=sealed.key_id,
        sealed=sealed.sealed,
    )


def file_paper(
    actor: Actor,
    row: PaperConsent,
    subject: DataSubject,
    purpose: Purpose,
    paper: SignedPaper,
    letter: SealedInvitation | None,
) -> ConsentEvent:
    """Everything of it in one transaction; what makes it a consent is asked again under the lock."""
    tags = tagger(subject.id, purpose.id)
    with transaction.atomic():
        require_open_account(subject.id)
        state = lock_state(subject.id, purpose.id)
        require_address_of_others(actor, subject.id)
        chosen = check_paper(state, paper)
        require_erased(state, chosen)
        event = write_event(
            state,
            kind_of_yes(state, paper.notice, chosen),
            by=actor.log_name(),
            method=PAPER,
            categories=chosen,
            notice=paper.notice,
            valid_until=ends_at(purpose, paper.signed_on),
            language=paper.notice.language,
        )
        move_state(state, ConsentStatus.GIVEN, event)
        row.event = event
        row.save(force_insert=True)
        Invitation.objects.filter(
            subject=subject, redeemed_at=None, revoked_at=None, shown_to_operator=True
        ).update(revoked_at=event.at)
        end_ways_in(subject.id)
        append(
            Draft(
                action=Action.CONSENT_ATTEST,
                actor=actor.log_name(),
                purpose_id=purpose.id,
                subject_tag=tags.subject(),
                consent_tag=tags.consent_record(event.id),
                object_tag=tags.object("paper", row.id),
                policy_version=str(paper.notice.id),
            )
        )
        if letter:
            letter.file(actor, state, tags)
    return event
