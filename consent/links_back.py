"""A link back in: it lets somebody come to their own page again and asks them nothing.

Whoever has neither an address nor a passkey comes in by a link alone, and must be able to look, to fetch
a receipt and to withdraw as long as anything of theirs is here: after a no, after a withdrawal, and in a
purpose that is closed. Whoever is not asked any more gets such a link; who may be asked, an invitation.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.actors import Actor
from audit_log.actions import ReasonCode
from consent.errors import AlreadyAnswered
from consent.invitations import (
    discard_unsent,
    file_invitation,
    new_invitation,
    require_may_see_a_link,
    seal_letter,
)
from consent.messages import key_of
from consent.models import ConsentState, ConsentStatus, DataSubject, Purpose, PurposeState
from consent.open_accounts import lock_person
from consent.records import lock_state, part_has_ended, require_not_ended
from vault.keyring import keys_kept_if_filed
from vault.tags import tagger

MAY_BE_ASKED = frozenset({ConsentStatus.REQUESTED, ConsentStatus.CANCELLED, ConsentStatus.EXPIRED})
DECLINED = frozenset({ConsentStatus.REFUSED, ConsentStatus.WITHDRAWN})


def may_be_asked(state: ConsentState) -> bool:
    """Whether an operator may ask this person, once more or anew; else they get a link back in."""
    is_open = state.purpose.state == PurposeState.OPEN
    return is_open and state.status in MAY_BE_ASKED and state.tags_ended_at is None


def require_may_be_asked(state: ConsentState) -> None:
    """Raise AlreadyAnswered for whoever said yes, said no or withdrew."""
    if state.status not in MAY_BE_ASKED:
        raise has_answered()


def require_not_declined(state: ConsentState) -> None:
    """Raise AlreadyAnswered for whoever said no or withdrew."""
    if state.status in DECLINED:
        raise has_answered()


def has_answered() -> AlreadyAnswered:
    """The refusal to ask somebody again."""
    return AlreadyAnswered(_("This person has answered; they are not asked again from here."))


@contextmanager
def locked_to_come_back(subject: DataSubject, purpose: Purpose) -> Iterator[ConsentState]:
    """A transaction with the locked state of somebody who can come back.

    Raises InvalidChoice where their part has ended for good, and in the same words for a closed account:
    that somebody closed it is told to no study.
    """
    with transaction.atomic():
        if lock_person(subject.id).closed_at is not None:
            raise part_has_ended()
        state = lock_state(subject.id, purpose.id)
        require_not_ended(state)
        yield state


def show_link_back(actor: Actor, subject: DataSubject, purpose: Purpose) -> str:
    """A new one-time link to hand over, in the place of any open one; returns the token.

    Raises InvalidChoice where there is nothing to come back to, and what ``require_may_see_a_link`` raises.
    """
    require_can_come_back(subject, purpose)
    tags = tagger(subject.id, purpose.id)
    token, invitation = new_invitation(subject, purpose, show_to_operator=True)
    with locked_to_come_back(subject, purpose):
        require_may_see_a_link(actor, subject, purpose)
        file_invitation(actor, invitation, tags, ReasonCode.SIGN_IN)
    return token


def send_link_back(actor: Actor, subject: DataSubject, purpose: Purpose) -> None:
    """Write a new one-time link to the person's own address, in the place of any open one.

    Raises UnknownSubject when there is no address, InvalidChoice where there is nothing to come back to.
    """
    require_can_come_back(subject, purpose)
    letter = seal_letter(actor, subject, purpose, partial(words_of_coming_back, purpose))
    tags = tagger(subject.id, purpose.id)
    kept = keys_kept_if_filed(key_of(letter.message))
    with kept, locked_to_come_back(subject, purpose) as state:
        if state.status != ConsentStatus.GIVEN:  # else it may tell of a consent on paper
            discard_unsent(subject.id, purpose.id)
        file_invitation(actor, letter.invitation, tags, ReasonCode.SIGN_IN)
        letter.message.file()


def require_can_come_back(subject: DataSubject, purpose: Purpose) -> None:
    """Raise InvalidChoice where the part has ended or the account is closed, before anything is sealed."""
    with locked_to_come_back(subject, purpose):
        pass


def words_of_coming_back(purpose: Purpose, url: str) -> tuple[str, list[str]]:
    """What whoever is let in again is written, in the active language: heading, paragraphs."""
    return (
        _("Your way back in: %(purpose)s") % {"purpose": purpose.name},
        [
            _("With this link you come back to your own page about “%(purpose)s”.")
            % {"purpose": purpose.name},
            _(
                "You are not asked for anything. There you see what is kept and who has looked at it, "
                "find your receipts, and can withdraw if you said yes."
            ),
            url,
            _("The link works once and for 14 days. Do not pass it on: it is yours alone."),
        ],
    )
