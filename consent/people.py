"""The people of one purpose as a client may know them: opaque ids and states, a page in a few queries."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import F, Prefetch, QuerySet, UUIDField

from audit_log.prepared import Columns, Given, Prepared
from consent.asking import UNANSWERED, letters_of
from consent.errors import UnknownSubject
from consent.models import (
    ConsentEvent,
    ConsentState,
    EventKind,
    Invitation,
    OutboxMessage,
    Purpose,
    SubjectReference,
)

COLUMNS = {"status": "status", "changed_after": "changed_at__gt"}


def people_of(
    purpose: Purpose, asked: Mapping[str, Any] | None = None
) -> QuerySet[SubjectReference]:
    """Everybody whom the purpose ever asked, with how their consent stands. Nothing says who they are.

    ``asked``: only those with this ``status``, or whose consent changed after ``changed_after``. Each has
    ``changed_at``, to be ordered by.
    """
    # In one filter, because each would join the states anew; the annotation takes the same join.
    where = {"purpose": purpose, "subject__consent_states__purpose": purpose} | {
        f"subject__consent_states__{COLUMNS[name]}": value for name, value in (asked or {}).items()
    }
    states = ConsentState.objects.filter(purpose=purpose)
    return (
        SubjectReference.objects.filter(**where)
        .annotate(changed_at=F("subject__consent_states__changed_at"))
        .defer("sealed")
        .select_related("subject")
        .prefetch_related(Prefetch("subject__consent_states", states))
    )


def with_letters(
    people: QuerySet[SubjectReference], purpose: Purpose
) -> QuerySet[SubjectReference]:
    """These people with what is known of how they were asked."""
    here = {"purpose": purpose}
    letters = OutboxMessage.objects.filter(**here, kind="invitation").defer("sealed")
    return people.select_related("subject__contact").prefetch_related(
        Prefetch(
            "subject__consent_events", ConsentEvent.objects.filter(**here).order_by("sequence")
        ),
        Prefetch("subject__invitations", Invitation.objects.filter(**here).order_by("created_at")),
        Prefetch("subject__messages", letters.order_by("created_at")),
    )


def find_person(people: QuerySet[SubjectReference], reference_id: UUID) -> SubjectReference:
    """One of these people by their opaque id. Raises UnknownSubject."""
    found = people.filter(pk=reference_id).first()
    if found is None:
        raise unknown()
    return found


class Shown(NamedTuple):
    """What a client may know of somebody's consent."""

    status: str
    categories: list[str]
    valid_until: datetime | None
    changed_at: datetime


def consent_of_a_person() -> QuerySet[ConsentState]:
    """The consent of one person, by the opaque id of a purpose, if that id is this purpose's."""
    purpose = Given("purpose_id", UUIDField())
    return ConsentState.objects.filter(
        purpose_id=purpose,
        subject__references__id=Given("id", UUIDField()),
        subject__references__purpose_id=purpose,
    )


SHOWN = Prepared(Columns(Shown), consent_of_a_person)


def find_consent(purpose_id: UUID, reference_id: UUID) -> dict[str, Any]:
    """``consent_json`` of one person of this purpose, by one question. Raises UnknownSubject."""
    found = SHOWN.first(id=reference_id, purpose_id=purpose_id)
    if found is None:
        raise unknown()
    return {"id": reference_id, "purpose": purpose_id, **found._asdict()}


def unknown() -> UnknownSubject:
    """The one answer about who is not there and who is another purpose's."""
    return UnknownSubject("No data subject with this id in this purpose.")


def state_of(person: SubjectReference) -> ConsentState:
    """How their consent stands, of somebody from ``people_of``."""
    return person.subject.consent_states.all()[0]


def consent_json(person: SubjectReference) -> dict[str, Any]:
    """How the consent of somebody from ``people_of`` stands, by the purpose's opaque id."""
    state = state_of(person)
    shown = {name: getattr(state, name) for name in Shown._fields}
    return {"id": person.id, "purpose": person.purpose_id, **shown}


def asking_json(person: SubjectReference) -> dict[str, Any]:
    """The same with how they were asked, of somebody from ``with_letters``.

    Whether a link was opened or a notice read is left out: who hesitates is nobody's business but theirs.
    """
    state, events = state_of(person), list(person.subject.consent_events.all())
    asked = [event.at for event in events if event.kind == EventKind.REQUESTED]
    links = [each.expires_at for each in person.subject.invitations.all() if not each.revoked_at]
    letters, sent = letters_of(events), list(person.subject.messages.all())
    is_open = state.status in UNANSWERED
    can_write = is_open and getattr(person.subject, "contact", None) is not None
    return consent_json(person) | {
        "asked_at": asked[-1] if asked else None,
        "letter_sent_at": sent[-1].sent_at if sent else None,
        "link_until": links[-1] if links and is_open else None,
        "letters_left": letters.left if can_write else 0,
        "next_letter_not_before": letters.not_before if can_write and letters.left else None,
    }
