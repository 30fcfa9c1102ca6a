"""What an operator may see of purposes and people: look-ups that authorise.

A researcher sees the purposes assigned to them; administrators and the data protection officer see all
of them. Nobody sees names here: rows carry opaque ids and states.
"""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404

from accounts.actors import Actor
from accounts.models import Role
from consent.models import ConsentState, Purpose

SEES_ALL = {Role.ADMINISTRATOR, Role.DPO}


def visible_purposes(actor: Actor) -> QuerySet[Purpose]:
    """The purposes whose existence and state this operator may know of."""
    if actor.role in SEES_ALL:
        return Purpose.objects.all()
    if actor.role == Role.RESEARCHER:
        return Purpose.objects.filter(members=actor.id)
    return Purpose.objects.none()


def visible_states(actor: Actor) -> QuerySet[ConsentState]:
    """The consent states of the people in those purposes."""
    if actor.role == Role.ADMINISTRATOR:
        return ConsentState.objects.all()
    if actor.role == Role.RESEARCHER:
        return ConsentState.objects.filter(purpose__members=actor.id)
    return ConsentState.objects.none()


def find_purpose(actor: Actor, purpose_id: UUID) -> Purpose:
    """The purpose, if this operator may know of it; 404 otherwise."""
    found = visible_purposes(actor).filter(pk=purpose_id).first()
    if found is None:
        raise Http404
    return found


def find_state(actor: Actor, purpose_id: UUID, subject_id: UUID) -> ConsentState:
    """The consent state of one person in one purpose, with both; 404 when it is not theirs to see."""
    found = (
        visible_states(actor)
        .select_related("purpose", "subject", "notice")
        .filter(purpose_id=purpose_id, subject_id=subject_id)
        .first()
    )
    if found is None:
        raise Http404
    return found
