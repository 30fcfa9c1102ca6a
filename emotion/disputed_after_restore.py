"""Disputes that were opened, taken back or answered since a backup was made, and are again.

Entries name a recording by its object tag. One that came after the backup is lost, and its dispute with it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from uuid import UUID

from django.db import transaction

from accounts.actors import SYSTEM_KEEPER
from accounts.models import User
from audit_log.actions import Action, ReasonCode
from audit_log.log import append
from audit_log.models import LogEntry, LogEntryQuerySet
from consent.models import ConsentState
from consent.records import lock_state
from emotion.disputes import close_for, entry, file_erasure, reopen
from emotion.models import Recording
from vault.tags import tagger_if_alive

ACTS = (Action.DISPUTE_OPEN, Action.DISPUTE_RETRACT, Action.DISPUTE_HANDLE)


def dispute_again(later: LogEntryQuerySet) -> int:
    """Do again what entries from after the backup say of disputes; of how many recordings.

    Safe to repeat. Runs before anything is processed.
    """
    rows = later.filter(action__in=ACTS).exclude(reason=ReasonCode.BACKUP_RESTORED)
    acts: dict[bytes, list[LogEntry]] = defaultdict(list)
    for row in rows.order_by("index"):
        acts[bytes(row.object_tag)].append(row)
    people = {bytes(row.subject_tag) for found in acts.values() for row in found}
    purposes = rows.values("purpose_id")
    number = 0
    for state in ConsentState.objects.filter(purpose_id__in=purposes, tags_ended_at=None):
        tags = tagger_if_alive(state.subject_id, state.purpose_id)
        if tags is None or tags.subject() not in people:
            continue
        for recording in Recording.objects.filter(
            subject_id=state.subject_id, purpose_id=state.purpose_id
        ):
            found = acts.get(tags.object("recording", recording.id), [])
            number += int(follow(recording, found))
    return number


def follow(recording: Recording, rows: list[LogEntry]) -> bool:
    """Let a recording's disputes go the way that these entries tell, oldest first; whether any did."""
    done = False
    with transaction.atomic():
        lock_state(recording.subject_id, recording.purpose_id)
        for row in rows:
            if row.action == Action.DISPUTE_OPEN:
                happened = open_again(recording, row)
            else:
                happened = end_again(recording, row)
            if happened:
                drawn = entry(recording, Action(row.action), SYSTEM_KEEPER.log_name())
                append(replace(drawn, reason=ReasonCode.BACKUP_RESTORED))
                done = True
    return done


def open_again(recording: Recording, row: LogEntry) -> bool:
    """Whether it had to be opened: no other one is open, and it was not by a call that was killed."""
    if recording.disputes.open().exists() or recording.disputes.filter(opened_at=row.time).exists():
        return False
    close_for(recording, row.time)
    return True


def end_again(recording: Recording, row: LogEntry) -> bool:
    """Whether one was open then, which its person now takes back or an operator answers."""
    held = recording.disputes.open().filter(opened_at__lt=row.time).first()
    if held is None:
        return False
    if row.action == Action.DISPUTE_RETRACT:
        reopen(recording, held, row.time)
        return True
    held.handled_at, held.handled_by = row.time, operator_of(row)
    held.save(update_fields=["handled_at", "handled_by"])
    file_erasure(recording, SYSTEM_KEEPER.log_name())
    return True


def operator_of(row: LogEntry) -> User | None:
    """Who answered; None for an operator whom the backup does not know."""
    return User.objects.filter(pk=UUID(row.actor.partition(":")[2])).first()
