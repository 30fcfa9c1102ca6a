"""Whether an account is still open, asked on the locked person: closing it takes the same lock.

The person is locked before any consent state of theirs, as closing does, so that nobody waits in a ring.
"""

from __future__ import annotations

from uuid import UUID

from django.utils.translation import gettext as _

from consent.errors import AlreadyAnswered, InvalidChoice
from consent.models import DataSubject


def lock_person(subject_id: UUID) -> DataSubject:
    """The person, held still until the transaction ends; rows about them may be added meanwhile."""
    return DataSubject.objects.select_for_update(no_key=True).get(pk=subject_id)


def require_open_to_themself(subject_id: UUID) -> None:
    """Lock a person who answers; raise InvalidChoice when they have closed their account meanwhile."""
    if lock_person(subject_id).closed_at is not None:
        raise InvalidChoice(_("This account is closed."))


def require_open_account(subject_id: UUID) -> None:
    """Lock a person about whom others do something; raise AlreadyAnswered for a closed account.

    A study hears what it hears after any answer: that somebody closed their account is told to nobody.
    """
    if lock_person(subject_id).closed_at is not None:
        raise not_asked_again()


def not_asked_again() -> AlreadyAnswered:
    """The one refusal to ask somebody who is not to be asked any more, for whatever reason of theirs."""
    return AlreadyAnswered(_("This person has answered and is not asked again."))
