"""The walk through the worker: claim, gate, log, open, decode, read, seal, gate again, save.

The row is claimed by one conditional UPDATE with a lease in database time. Whatever happens between
claim and save, the save asks the locked consent state once more and requires that this attempt still
holds the row: a withdrawal that commits in between wins.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from uuid import UUID

from django.db import DatabaseError, transaction
from django.db.models import DateTimeField, ExpressionWrapper, F, Q
from django.db.models.functions import Now
from django.utils import timezone
from uuid_utils.compat import uuid7

from accounts.actors import SYSTEM_WORKER
from audit_log.actions import Action, Outcome, ReasonCode
from audit_log.entries import Draft
from audit_log.errors import AuditLogError
from audit_log.log import append, append_durable
from consent.enforcement import ConsentPermit, current_state, require_consent
from consent.erasure import request_erasure
from consent.errors import ConsentRefused
from consent.models import DataCategory, ErasureCause, ErasureRequest
from consent.records import lock_state
from consent.rules import Asker, Operation
from emotion.erasure import drain_one
from emotion.inference.media import MediaRefused, decode_photo
from emotion.inference.photos import analyse_photo
from emotion.inference.readings import PhotoReading
from emotion.models import (
    MAX_ATTEMPTS,
    Analysis,
    AnalysisState,
    Recording,
    Result,
    recording_standing,
)
from emotion.sealed_media import blob_path, media_row, media_unit
from vault.errors import VaultError
from vault.keyring import create_data_key, destroy_data_keys
from vault.store import open_blob, seal
from vault.tags import tagger
from vault.units import Row, Unit

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=90)

LEASE_END = ExpressionWrapper(Now() + LEASE, output_field=DateTimeField())


class Superseded(Exception):
    """This attempt no longer holds the row; what it made is discarded."""


@dataclass(frozen=True)
class Claim:
    """One attempt at one analysis."""

    analysis_id: UUID
    attempt: int
    recording: Recording

    def row(self) -> Q:
        """The condition under which the row is still this attempt's."""
        return Q(pk=self.analysis_id, state=AnalysisState.RUNNING, attempt=self.attempt)

    def renew(self) -> None:
        """Extend the lease; raises Superseded when the row is no longer this attempt's."""
        if not Analysis.objects.filter(self.row()).update(lease_until=LEASE_END):
            raise Superseded

    def draft(self, action: Action, **fields: object) -> Draft:
        """A log entry of the worker about this recording."""
        tags = tagger(self.recording.subject_id, self.recording.purpose_id)
        known: dict[str, object] = {
            "actor": SYSTEM_WORKER.log_name(),
            "purpose_id": self.recording.purpose_id,
            "subject_tag": tags.subject(),
            "object_tag": tags.object("recording", self.recording.id),
        }
        return Draft(action=action, **(known | fields))  # type: ignore[arg-type]  # checked by Draft


def claim(analysis_id: UUID) -> Claim | None:
    """Take the row if it waits, or if its last holder let the lease run out; None otherwise."""
    free = Q(state=AnalysisState.QUEUED, not_before__lte=Now()) | Q(
        state=AnalysisState.RUNNING, lease_until__lt=Now()
    )
    taken = Analysis.objects.filter(free, pk=analysis_id, attempt__lt=MAX_ATTEMPTS).update(
        state=AnalysisState.RUNNING,
        attempt=F("attempt") + 1,
        lease_until=LEASE_END,
        started_at=Now(),
    )
    if not taken:
        return None
    row = Analysis.objects.select_related("recording").get(pk=analysis_id)
    return Claim(row.id, row.attempt, row.recording)


def run_analysis(analysis_id: UUID) -> None:
    """Run one analysis to an end: done, refused or failed, each with its entry.

    What may pass by itself (database, log or key provider away) leaves the row to its lease, and the
    keeper tries again until the attempts are used up.
    """
    held = claim(analysis_id)
    if held is None:
        return
    try:
        reading, categories = read_face(held)
        save_results(held, reading, categories)
    except ConsentRefused as refusal:
        end(held, AnalysisState.REFUSED, Action.ANALYSIS_REFUSE, refusal.reason)
    except MediaRefused:
        end(held, AnalysisState.FAILED, Action.ANALYSIS_FAIL, ReasonCode.MEDIA_UNREADABLE)
    except Superseded:
        log.info("analysis %s was taken over or ended elsewhere; this attempt is discarded", held)
    except (DatabaseError, VaultError, AuditLogError, OSError) as error:
        log.warning(
            "analysis %s attempt %s: %s", held.analysis_id, held.attempt, type(error).__name__
        )
        release(held)


def permit_for(
    held: Claim, operation: Operation, action: Action, chosen: frozenset[str]
) -> ConsentPermit:
    """Ask the gate for one step on this recording."""
    recording = held.recording
    reads_media = operation is Operation.ANALYSE
    return require_consent(
        subject_id=recording.subject_id,
        purpose_id=recording.purpose_id,
        operation=operation,
        asker=Asker.SYSTEM,
        action=action,
        object_kind="recording",
        object_id=recording.id,
        categories=chosen,
        standing=partial(recording_standing, recording.id, media=reads_media),
    )


def consented_categories(recording: Recording) -> frozenset[str]:
    """The data categories that this person's consent covers now; the gate decides about them."""
    state = current_state(recording.subject_id, recording.purpose_id)
    chosen = frozenset(state.categories if state else ())
    return chosen | {DataCategory.MEDIA}


def read_face(held: Claim) -> tuple[PhotoReading, frozenset[str]]:
    """Gate, log, open, decode, gate, infer: the reading and the categories it covers."""
    recording = held.recording
    chosen = consented_categories(recording)
    permit = permit_for(held, Operation.ANALYSE, Action.MEDIA_ANALYSE, chosen)
    receipt = append_durable(
        held.draft(
            Action.MEDIA_ANALYSE,
            reason=ReasonCode.ANALYSIS,
            consent_tag=permit.consent_tag,
            policy_version=permit.policy_version,
            permit_id=permit.permit_id,
        )
    )
    unit = media_unit(recording.id, recording.subject_id, recording.purpose_id)
    path = blob_path(recording.id)
    row = media_row(recording.id)
    with open_blob(permit, receipt, recording.media_key_id, unit, row, path) as blob:
        data = blob.read()
    pixels = decode_photo(data)
    held.renew()
    permit.recheck()
    return analyse_photo(pixels, chosen - {DataCategory.MEDIA}), chosen


def save_results(held: Claim, reading: PhotoReading, chosen: frozenset[str]) -> None:
    """Seal each category under its own key, then save all in one transaction behind the gate."""
    recording = held.recording
    permit = permit_for(held, Operation.SAVE_RESULT, Action.RESULT_SAVE, chosen)
    rows: list[Result] = []
    try:
        for category, part in reading.parts().items():
            rows.append(sealed_result(permit, held, category, part))
        held.renew()
        erasure = commit_results(held, permit, rows)
    except DatabaseError:
        raise  # whether it was committed is unknown; an orphan key is harmless, a lost one is not
    except BaseException:
        destroy_data_keys([row.data_key_id for row in rows])
        raise
    if erasure is not None and not recording.keep_media:
        drain_one(erasure)


def result_unit(recording: Recording, category: str) -> Unit:
    """The erasure unit of one category of a recording's results."""
    return Unit(
        subject_id=recording.subject_id,
        purpose_id=recording.purpose_id,
        category=category,
        recording_id=recording.id,
    )


def sealed_result(
    permit: ConsentPermit, held: Claim, category: str, part: dict[str, object]
) -> Result:
    """A result row, not yet saved."""
    unit = result_unit(held.recording, category)
    row_id = uuid7()
    key_id = create_data_key(unit)
    body = json.dumps(part, separators=(",", ":"), sort_keys=True).encode()
    place = Row(table="result", column="sealed", row_id=row_id)
    try:
        sealed = seal(permit, key_id, unit, place, body)
    except BaseException:
        destroy_data_keys([key_id])  # nothing was sealed under it
        raise
    return Result(
        id=row_id,
        analysis_id=held.analysis_id,
        category=category,
        data_key_id=key_id,
        sealed=sealed,
    )


def commit_results(held: Claim, permit: ConsentPermit, rows: list[Result]) -> ErasureRequest | None:
    """One transaction: lock consent, gate again, still mine?, save, entry, and the media's erasure."""
    recording = held.recording
    with transaction.atomic():
        lock_state(recording.subject_id, recording.purpose_id)
        permit.recheck()
        mine = Analysis.objects.filter(held.row()).update(
            state=AnalysisState.DONE,
            finished_at=timezone.now(),
            lease_until=None,
            categories=[row.category for row in rows],
        )
        if not mine:
            raise Superseded
        Result.objects.bulk_create(rows)
        append(
            held.draft(
                Action.RESULT_SAVE,
                consent_tag=permit.consent_tag,
                policy_version=permit.policy_version,
                permit_id=permit.permit_id,
            )
        )
        if recording.keep_media:
            return None
        return request_erasure(
            subject_id=recording.subject_id,
            purpose_id=recording.purpose_id,
            cause=ErasureCause.NOT_KEPT,
            actor_name=SYSTEM_WORKER.log_name(),
            reason=ReasonCode.MEDIA_NOT_KEPT,
            tags=tagger(recording.subject_id, recording.purpose_id),
            recording_id=recording.id,
            category=DataCategory.MEDIA,
        )


def end(held: Claim, state: AnalysisState, action: Action, reason: ReasonCode) -> None:
    """End the row with its reason and its entry, if it is still this attempt's."""
    outcome = Outcome.REFUSED if state is AnalysisState.REFUSED else Outcome.FAILED
    with transaction.atomic():
        mine = Analysis.objects.filter(held.row()).update(
            state=state, reason=reason, finished_at=timezone.now(), lease_until=None
        )
        if mine:
            append(held.draft(action, outcome=outcome, reason=reason))


def release(held: Claim) -> None:
    """Give the row back for a later attempt, or end it when this was the last one."""
    try:
        if held.attempt >= MAX_ATTEMPTS:
            end(held, AnalysisState.FAILED, Action.ANALYSIS_FAIL, ReasonCode.ATTEMPTS_EXHAUSTED)
            return
        Analysis.objects.filter(held.row()).update(
            state=AnalysisState.QUEUED,
            lease_until=None,
            not_before=timezone.now() + timedelta(seconds=2**held.attempt),
        )
    except (DatabaseError, AuditLogError, VaultError):
        log.warning("analysis %s could not be released; its lease will run out", held.analysis_id)
