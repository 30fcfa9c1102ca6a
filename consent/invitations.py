"""Invitations: one-time links by which a person comes to a purpose's notice.

The token is a bearer credential: whoever holds it can enter as the person it was meant for. So an API
client never sees one, an operator only that of somebody without an address, marked as such for ever, and
a signed-in operator cannot redeem any. ``docs/threat-model.md`` says what is left.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override
from uuid_utils.compat import uuid7

from accounts.actors import Actor
from accounts.models import User
from audit_log.actions import Action, ReasonCode
from audit_log.entries import Draft
from audit_log.log import append
from consent.enforcement import require_not_attester
from consent.errors import InvalidPurpose, InvitationInvalid, OnlyByMail
from consent.messages import SealedMessage, has_address, key_of, language_for, seal_message
from consent.models import (
    ConsentState,
    ConsentStatus,
    Contact,
    DataSubject,
    Invitation,
    OutboxMessage,
    Purpose,
    PurposeState,
)
from consent.open_accounts import lock_person
from consent.records import (
    Check,
    anybody,
    locked_to_ask,
    require_can_be_asked,
    subject_log_name,
    write_asking,
)
from vault.keyring import destroy_data_keys, keys_kept_if_filed
from vault.tags import Tagger, tagger

VALID_FOR = timedelta(days=14)
BY_MAIL = "e-mail"
"""The method of asking by letter to the person's own address."""
LETTER = "invitation"
"""The kind of message that holds a link."""
REFUSAL = gettext_lazy(
    "This invitation is not valid: it was used, has expired, was taken back, or was replaced by a newer "
    "one."
)


def token_hash(token: str) -> bytes:
    """SHA-256 of the token; a bare hash will do for 256 random bits."""
    return hashlib.sha256(token.encode()).digest()


def invitation_url(token: str) -> str:
    """The address a person opens; it names nobody."""
    return settings.SITE_URL + reverse("invitation", args=[token])


def create_invitation(
    actor: Actor,
    subject: DataSubject,
    purpose: Purpose,
    check: Check = anybody,
    *,
    show_to_operator: bool,
) -> str:
    """A new one-time link, replacing any open one for the same person and purpose; returns the token.

    ``show_to_operator`` says that the caller will display it (a laboratory without e-mail); it is
    recorded, and the consent record names it as the method of collection. Raises InvalidPurpose unless
    the purpose is open, InvalidChoice where the person's part has ended, OnlyByMail and ConsentRefused
    where this operator may not see a link of theirs, and what ``check`` raises.
    """
    require_open(purpose)
    require_can_be_asked(subject, purpose)
    tags = tagger(subject.id, purpose.id)
    token, invitation = new_invitation(subject, purpose, show_to_operator=show_to_operator)
    with locked_to_ask(subject, purpose, check) as state:
        if show_to_operator:
            require_may_see_a_link(actor, subject, purpose)
        write_asking(actor, state, "link" if show_to_operator else BY_MAIL, tags)
        file_invitation(actor, invitation, tags)
    return token


def require_may_see_a_link(actor: Actor, subject: DataSubject, purpose: Purpose) -> None:
    """Raise OnlyByMail for whoever has an address or takes part elsewhere, ConsentRefused for an attester.

    A link opens the whole account. So an operator sees only those of accounts that this purpose made, and
    that nobody else can have asked into theirs; by an address anybody could have.
    """
    require_not_attester(actor, subject.id)
    elsewhere = ConsentState.objects.filter(subject=subject).exclude(purpose=purpose)
    if has_address(subject) or elsewhere.exists():
        raise OnlyByMail(
            "A link of this person is shown to nobody: it goes to the address that was given."
        )


def require_open(purpose: Purpose) -> None:
    """Nobody is asked into a purpose in which they could not say yes: raises InvalidPurpose."""
    if purpose.state != PurposeState.OPEN:
        raise InvalidPurpose("This purpose is not open; nobody can be invited now.")


def new_invitation(
    subject: DataSubject, purpose: Purpose, *, show_to_operator: bool
) -> tuple[str, Invitation]:
    """A new token and its row, not yet filed: until then the link leads nowhere."""
    token, now = secrets.token_urlsafe(32), timezone.now()
    return token, Invitation(
        id=uuid7(),
        subject=subject,
        purpose=purpose,
        token_sha256=token_hash(token),
        shown_to_operator=show_to_operator,
        created_at=now,
        expires_at=now + VALID_FOR,
    )


def file_invitation(
    actor: Actor, invitation: Invitation, tags: Tagger, reason: ReasonCode | None = None
) -> None:
    """Put it in the place of any open one, with its entry, in the caller's transaction."""
    open_one = open_invitations(invitation.subject_id, invitation.purpose_id)
    open_one.update(revoked_at=invitation.created_at)
    invitation.save(force_insert=True)
    shown = invitation.shown_to_operator
    append(
        Draft(
            action=Action.INVITATION_SHOW if shown else Action.INVITATION_CREATE,
            actor=actor.log_name(),
            reason=reason,
            purpose_id=invitation.purpose_id,
            subject_tag=tags.subject(),
            object_tag=tags.object("invitation", invitation.id),
        )
    )


def open_invitations_of(subject_id: UUID) -> QuerySet[Invitation]:
    """The links that somebody could still come in by, of all purposes."""
    return Invitation.objects.filter(subject_id=subject_id, redeemed_at=None, revoked_at=None)


def open_invitations(subject_id: UUID, purpose_id: UUID) -> QuerySet[Invitation]:
    """The links that somebody could still come in by; at most one works."""
    return open_invitations_of(subject_id).filter(purpose_id=purpose_id)


def revoke_open(subject_id: UUID, purpose_id: UUID, at: datetime) -> None:
    """Let every open link die, and throw away letters that wait with one, in the caller's transaction."""
    open_invitations(subject_id, purpose_id).update(revoked_at=at)
    discard_unsent(subject_id, purpose_id)


def discard_unsent(subject_id: UUID, purpose_id: UUID) -> None:
    """Throw away letters that have not left, in the caller's transaction; their keys go after it."""
    waiting = OutboxMessage.objects.filter(
        subject_id=subject_id, purpose_id=purpose_id, kind=LETTER, sent_at=None
    )
    keys = list(waiting.values_list("data_key_id", flat=True))
    waiting.delete()
    transaction.on_commit(partial(destroy_data_keys, keys))


@dataclass(frozen=True)
class SealedInvitation:
    """A letter with its link, sealed and not yet filed, so that question and letter stand together."""

    invitation: Invitation
    message: SealedMessage

    def file(self, actor: Actor, state: ConsentState, tags: Tagger) -> None:
        """Put both in their places, in the transaction that has locked this state."""
        write_asking(actor, state, BY_MAIL, tags)
        file_invitation(actor, self.invitation, tags)
        self.message.file()


def seal_letter(
    actor: Actor,
    subject: DataSubject,
    purpose: Purpose,
    words: Callable[[str], tuple[str, list[str]]],
) -> SealedInvitation:
    """A letter to the person's own address, with a new link. Not under a lock: it makes a key.

    ``words``: heading and paragraphs around the link, made in the person's language. Raises UnknownSubject
    when there is no address.
    """
    token, invitation = new_invitation(subject, purpose, show_to_operator=False)
    language = language_for(subject, purpose)
    with override(language):
        heading, paragraphs = words(invitation_url(token))
    message = seal_message(
        actor,
        subject,
        purpose,
        kind=LETTER,
        language=language,
        heading=heading,
        text="\n\n".join(paragraphs),
    )
    return SealedInvitation(invitation, message)


def send_invitation(
    actor: Actor,
    subject: DataSubject,
    purpose: Purpose,
    check: Check = anybody,
) -> None:
    """Ask by a letter to the person's own address; a letter that still waits is thrown away for it.

    Raises UnknownSubject when there is no address, InvalidPurpose unless the purpose is open, InvalidChoice
    where the person's part has ended, and what ``check`` raises.
    """
    require_open(purpose)
    require_can_be_asked(subject, purpose)
    letter = seal_letter(actor, subject, purpose, partial(words_of_asking, purpose))
    tags = tagger(subject.id, purpose.id)
    kept = keys_kept_if_filed(key_of(letter.message))
    with kept, locked_to_ask(subject, purpose, check) as state:
        if state.status != ConsentStatus.GIVEN:  # else it may tell of a consent on paper
            discard_unsent(subject.id, purpose.id)
        letter.file(actor, state, tags)


def words_of_asking(purpose: Purpose, url: str) -> tuple[str, list[str]]:
    """What whoever is asked is written, in the active language: heading, paragraphs."""
    return (
        _("Invitation: %(purpose)s") % {"purpose": purpose.name},
        [
            _("%(controller)s invites you to take part in “%(purpose)s”.")
            % {"controller": purpose.controller, "purpose": purpose.name},
            _(
                "Nothing is recorded before you have read what it is about and said yes. "
                "You can say no, and you can withdraw at any time."
            ),
            url,
            _("The link works once and for 14 days. Do not pass it on: it is yours alone."),
        ],
    )


def find_invitation(token: str) -> Invitation:
    """The open invitation behind a token; raises InvitationInvalid, the same for every reason."""
    invitation = (
        Invitation.objects.select_related("subject__user", "purpose")
        .filter(
            token_sha256=token_hash(token),
            redeemed_at=None,
            revoked_at=None,
            expires_at__gt=timezone.now(),
        )
        .first()
    )
    if invitation is None:
        raise InvitationInvalid(REFUSAL)
    return invitation


def confirm_address(invitation: Invitation) -> None:
    """Note that a letter reached the person, in the transaction that used its link up.

    A letter that an operator opened and handed over says nothing about the address on it.
    """
    unseen = Invitation.objects.filter(pk=invitation.pk, shown_to_operator=False)
    if unseen.exists():
        filed = Contact.objects.filter(subject_id=invitation.subject_id, confirmed_at=None)
        filed.update(confirmed_at=timezone.now())


def redeem(token: str) -> tuple[User, Invitation]:
    """Use an invitation up; returns the account to sign in. Two browsers at once: one wins.

    Raises InvitationInvalid, also when the account was closed meanwhile: nothing opens it again.
    """
    found = find_invitation(token)
    tags = tagger(found.subject_id, found.purpose_id)
    with transaction.atomic():
        subject = lock_person(found.subject_id)
        if subject.closed_at is not None:
            raise InvitationInvalid(REFUSAL)
        won = Invitation.objects.filter(
            pk=found.pk, redeemed_at=None, revoked_at=None, expires_at__gt=timezone.now()
        ).update(redeemed_at=timezone.now())
        if not won:
            raise InvitationInvalid(REFUSAL)
        confirm_address(found)
        if subject.user is None:
            subject.user = User.objects.create_subject()
            subject.save(update_fields=["user"])
        append(
            Draft(
                action=Action.INVITATION_REDEEM,
                actor=subject_log_name(tags),
                purpose_id=found.purpose_id,
                subject_tag=tags.subject(),
                object_tag=tags.object("invitation", found.id),
            )
        )
    return subject.user, found
