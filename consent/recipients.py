"""Telling recipients (GDPR Art. 19): a program that may hold copies must erase them, and says when it has.

A recipient is an API client of the purpose whose key was ever used, or that has a webhook. The rows are
written in the transaction of what they tell, and hold opaque ids, a kind and times only. Whether a client
is told by a webhook or asks by itself, the acknowledgement is the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from accounts.actors import Actor
from accounts.models import ApiClient
from audit_log.actions import Action
from audit_log.entries import Draft
from audit_log.log import append
from consent.errors import UnknownErasure
from consent.models import (
    ConsentState,
    ErasureCause,
    ErasureRequest,
    SubjectReference,
    Telling,
    TellingKind,
    TellingQuerySet,
    WebhookEndpoint,
)
from vault.tags import Tagger, tagger_if_alive

# Not a join: a client whose address was changed has several rows, and is to be told once.
WITH_WEBHOOK = Q(Exists(WebhookEndpoint.objects.filter(client=OuterRef("pk"), disabled_at=None)))


UNFORESEEN = {ErasureCause.DISPUTE, ErasureCause.DISCARDED}
"""Why one recording goes at a moment that no program could foresee, and may have a copy of."""


@dataclass(frozen=True, kw_only=True)
class About:
    """What something that is told is about: a person in a purpose, and perhaps one analysis."""

    subject_id: UUID
    purpose_id: UUID
    recording_id: UUID | None = None
    analysis_id: UUID | None = None


def tell_of_erasure(request: ErasureRequest) -> None:
    """Ask every recipient for the same erasure, in the transaction that files it.

    Not for what no program can have more of than it knew it would: a photograph that is not kept, one
    recording past its period, and the account's own data, which no client ever sees.
    """
    one = request.recording_id is not None and request.cause not in UNFORESEEN
    if request.purpose_id is None or one:
        return
    may_hold = Q(last_used_at__isnull=False) | WITH_WEBHOOK
    clients = ApiClient.objects.filter(may_hold, purpose_id=request.purpose_id).order_by("id")
    about = About(subject_id=request.subject_id, purpose_id=request.purpose_id)
    file_tellings(clients, TellingKind.ERASURE, about, request)


def file_tellings(
    clients: Iterable[ApiClient],
    kind: TellingKind,
    about: About,
    erasure: ErasureRequest | None = None,
) -> None:
    """One row for each of these clients. Of a person without a reference no client knows anything."""
    reference = SubjectReference.objects.filter(
        subject_id=about.subject_id, purpose_id=about.purpose_id
    )
    told = list(clients)
    known = reference.values_list("id", flat=True).first() if told else None
    if known is None:
        return
    now = timezone.now()
    Telling.objects.bulk_create(
        Telling(
            client=client,
            subject_id=about.subject_id,
            purpose_id=about.purpose_id,
            kind=kind,
            reference_id=known,
            erasure=erasure,
            recording_id=about.recording_id,
            analysis_id=about.analysis_id,
            created_at=now,
            next_attempt_at=now,
        )
        for client in told
    )


def event_of(telling: Telling) -> dict[str, Any]:
    """What a client reads: kind, time and opaque ids, and nothing that says who it is."""
    data: dict[str, Any] = {
        "subject": str(telling.reference_id) if telling.reference_id else None,
        "purpose": str(telling.purpose_id),
    }
    if telling.erasure is not None:
        data |= {
            "erasure": str(telling.id),
            "recording": str(telling.erasure.recording_id)
            if telling.erasure.recording_id
            else None,
            "category": telling.erasure.category or None,
        }
    if telling.analysis_id is not None:
        data |= {"recording": str(telling.recording_id), "analysis": str(telling.analysis_id)}
    return {"type": telling.kind, "timestamp": telling.created_at.isoformat(), "data": data}


def waiting_for(actor: Actor) -> list[Telling]:
    """The erasures that a client has not acknowledged and no hold postpones, oldest first, at most 100."""
    mine = Telling.objects.unacknowledged().not_held().filter(client_id=actor.id)
    return list(mine.select_related("erasure").order_by("created_at", "id")[:100])


def acknowledge(actor: Actor, telling_id: UUID) -> Telling:
    """The client says that it has erased its copies; saying so again changes nothing.

    Raises UnknownErasure for what is not this client's own.
    """
    mine = Telling.objects.erasures().filter(client_id=actor.id, pk=telling_id)
    found = mine.first()
    if found is None:
        raise UnknownErasure("There is no such erasure for this key.")
    return note(found, "acknowledged_at", actor, Action.ERASURE_ACKNOWLEDGED)


def note(telling: Telling, step: str, actor: Actor, action: Action) -> Telling:
    """Write down once that a client was told, or that it acknowledged, with the entry of an erasure."""
    tags = tagger_if_alive(telling.subject_id, telling.purpose_id)
    with transaction.atomic():
        ended = is_ended(telling)
        held = Telling.objects.select_for_update().get(pk=telling.pk)
        held.next_attempt_at = None
        if getattr(held, step) is not None:
            held.save(update_fields=["next_attempt_at"])
            return held
        setattr(held, step, timezone.now())
        if held.kind == TellingKind.ERASURE:
            entry = told_entry(held, actor, action, None if ended else tags)
            held.entry_ids = [*held.entry_ids, str(append(entry).entry_id)]
        held.save(update_fields=["next_attempt_at", step, "entry_ids"])
        if ended and forget(Telling.objects.filter(pk=held.pk)):
            held.reference_id = None
    return held


def is_ended(telling: Telling) -> bool:
    """Whether the last entry about the person was written; the state stays locked until the commit."""
    state = ConsentState.objects.select_for_update(of=("self",)).filter(
        subject_id=telling.subject_id, purpose_id=telling.purpose_id
    )
    return all(each.tags_ended_at is not None for each in state)


def told_entry(telling: Telling, actor: Actor, action: Action, tags: Tagger | None) -> Draft:
    """The entry of a step; without tags it says only that a program was told something."""
    return Draft(
        action=action,
        actor=actor.log_name(),
        purpose_id=telling.purpose_id,
        subject_tag=tags.subject() if tags else b"",
        object_tag=tags.object("erasure", telling.erasure_id)
        if tags and telling.erasure_id
        else b"",
    )


def forget(tellings: TellingQuerySet) -> int:
    """Take the opaque id off those of no more use; of how many."""
    return (
        tellings.exclude(reference_id=None)
        .exclude(pk__in=tellings.of_use())
        .update(reference_id=None)
    )


def forget_references() -> int:
    """Take the opaque id off what is told of people whose tags are gone.

    What is still to be told, or can still be confirmed, keeps it until then; so this is asked again.
    """
    ended = ConsentState.objects.filter(
        subject_id=OuterRef("subject_id"), purpose_id=OuterRef("purpose_id")
    ).exclude(tags_ended_at=None)
    return forget(Telling.objects.filter(Exists(ended)))


@dataclass(frozen=True)
class Recipient:
    """Who was asked for an erasure and how far it is, for the person whom it is about."""

    name: str
    told_at: datetime | None
    acknowledged_at: datetime | None


def recipients_of(request: ErasureRequest) -> list[Recipient]:
    """The programs that were to be told of an erasure."""
    rows = Telling.objects.filter(erasure=request).select_related("client").order_by("id")
    return [Recipient(row.client.name, row.delivered_at, row.acknowledged_at) for row in rows]
