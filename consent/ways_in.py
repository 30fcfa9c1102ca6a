"""Ending what somebody holds that would let them in as a person: open sessions, passkeys and codes."""

from __future__ import annotations

from uuid import UUID

from accounts.models import User
from consent.models import DataSubject, SignInCode


def end_ways_in(subject_id: UUID) -> None:
    """Let nobody come in on what they hold, in the caller's transaction; a new link or code still does.

    The person gets a new user in the place of the old one: its passkeys go with it, and a session of a user
    who is gone opens nothing and adds no passkey, not even in a request that has begun. When they were last
    here stays known: from then on three years without a visit are counted.
    """
    SignInCode.objects.filter(subject_id=subject_id).delete()
    subject = DataSubject.objects.select_for_update().get(pk=subject_id)
    old = subject.user
    if old is None:
        return
    subject.user = User.objects.create_subject(
        language=old.language, time_zone=old.time_zone, last_login=old.last_login
    )
    subject.save(update_fields=["user"])
    old.delete()
