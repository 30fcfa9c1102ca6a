"""A breach of which people were told, for tests that only need one to be there."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from consent.breach_reach import Span
from consent.breach_telling import tell_people
from consent.breach_texts import Words
from consent.breaches import Notification, notify, record_breach, tell
from consent.models import Breach, BreachKind
from tests.cast import Study


def breach_told(study: Study, *, everybody: bool = True) -> Breach:
    """A stolen disk: it concerns everybody in the study."""
    officer, now = study.officer, timezone.now()
    breach = record_breach(
        officer.actor,
        officer.user,
        noticed_at=now,
        kinds=[BreachKind.CONFIDENTIALITY],
        span=Span(now - timedelta(hours=1), now, study.purpose.id, everybody=everybody),
        words=Words("A disk was stolen.", "It was not sealed.", "The lock was changed."),
    )
    given = Notification(at=now, reference="A-1")
    notify(officer.actor, officer.user, breach.id, given)
    tell(officer.actor, officer.user, breach.id, "A disk with your data was stolen.")
    tell_people()
    return breach
