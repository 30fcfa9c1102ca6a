"""The walk through the worker: claim, gate, log, open, decode, read, seal, gate again, save.

Whatever happens between claim and save, the save asks the locked consent state once more and requires
that this attempt still holds the row: a withdrawal that commits in between wins.
"""

from __future__ import annotations

import json
import logging
from datetime import datetime
from functools import partial
from uuid import UUID

from django.db import DatabaseError, transaction
from django.utils import timezone
from uuid_utils.compat import uuid7

from accounts.actors import SYSTEM_WORKER
from audit_log.actions import Action, ReasonCode
from audit_log.log import append, append_durable
from consent.enforcement import THE_SYSTEM, ConsentPermit, current_state, require_consent
from consent.erasure import request_erasure
from consent.models import DataCategory, ErasureCause, ErasureRequest
from consent.purposes import share_locked
from consent.records import lock_state
from consent.rules import Operation
from emotion.active_pack import active_folder
from emotion.claims import Claim, Superseded, claim, give_back
from emotion.erasure import drain_one
from emotion.faults import in_a_line, is_environment
from emotion.inference.expressions import expression_pack
from emotion.inference.media import decode_photo
from emotion.inference.photos import analyse_photo
from emotion.inference.readings import PhotoReading
from emotion.models import (
    Analysis,
    AnalysisState,
    Recording,
    Result,
    recording_standing,
)
from emotion.sealed_media import blob_path, media_row, media_unit
from vault.keyring import create_data_key, destroy_data_keys
from vault.store import open_blob, seal
from vault.tags import tagger
from vault.units import Row, Unit

log = logging.getLogger(__name__)


def run_analysis(analysis_id: UUID) -> None:
    """Run one analysis to an end: done, refused or failed, each with its entry.

    A fault of the installation (database, keystore, keys, log, disk, clock) gives the row back with its
    try; the keeper sends it again until it can be done. A fault of the recording uses the try up.
    """
    try:
        held = claim(analysis_id)
    except Exception as error:
        if not is_environment(error):
            raise
        log.warning("analysis %s waits: %s", analysis_id, in_a_line(error))
        return
    if held is not None:
        run_claimed(held)


def run_claimed(held: Claim) -> None:
    """Run an analysis that this process holds; whatever happens, the row is ended or given back."""
    try:
        reading, categories = read_face(held)
        save_results(held, reading, categories)
    except Superseded:
        log.info("analysis %s was taken over or ended elsewhere; this attempt is discarded", held)
    except Exception as error:
        give_back(held, error)


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
        asker=THE_SYSTEM,
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
    return analyse_photo(
        pixels, chosen - {DataCategory.MEDIA}, expression_pack(active_folder())
    ), chosen


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


def date_results(rows: list[Result], recording: Recording, valid_until: datetime | None) -> None:
    """Give results their date: the recording's as it is now, and no later than the consent's end."""
    until = Recording.objects.values_list("retain_until", flat=True).get(pk=recording.pk)
    for row in rows:
        row.retain_until = min(until, valid_until or until)


def commit_results(held: Claim, permit: ConsentPermit, rows: list[Result]) -> ErasureRequest | None:
    """One transaction: lock consent, gate again, still mine?, save, entry, and the media's erasure."""
    recording = held.recording
    with transaction.atomic():
        state = lock_state(recording.subject_id, recording.purpose_id)
        permit.recheck()
        share_locked(recording.purpose_id)
        date_results(rows, recording, state.valid_until)
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
