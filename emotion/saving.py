"""The end of the walk through the worker: seal each part, ask the gate again, save all in one transaction.

The save asks the locked consent state once more and requires that this attempt still holds the row: a
withdrawal that commits in between wins.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import DatabaseError, transaction
from django.utils import timezone
from uuid_utils.compat import uuid7

from accounts.actors import SYSTEM_WORKER
from audit_log.actions import Action
from audit_log.entries import Draft
from audit_log.log import append
from consent.enforcement import ConsentPermit
from consent.models import ErasureRequest
from consent.purposes import share_locked
from consent.records import lock_state
from consent.rules import Operation
from emotion.claims import Claim, Superseded
from emotion.endings import tell_of_end
from emotion.erasure import drain_one, give_up_media, give_up_original
from emotion.inference.readings import Part
from emotion.keeping import Covered, SealedCover, sealed_cover
from emotion.models import Analysis, AnalysisState, Recording, Result, media_may_stay
from emotion.worker_gate import permit_for
from vault.keyring import create_data_key, destroy_data_keys
from vault.parts import Sealed
from vault.store import seal
from vault.units import Row, Unit

Keys = dict[str, UUID]
"""Data key ids by data category: one key for all that an analysis measured of it."""


@contextmanager
def keys_of_an_attempt(keys: Keys) -> Iterator[Keys]:
    """Destroy what was made under new keys when the save fails, and the keys with it.

    Not when the database failed: whether it was committed is unknown then, and an orphan key is harmless
    where a lost one is not.
    """
    before = set(keys.values())
    try:
        yield keys
    except DatabaseError:
        raise
    except BaseException:
        made = {category: key for category, key in keys.items() if key not in before}
        for category in made:
            del keys[category]
        destroy_data_keys(made.values())
        raise


def save_results(
    held: Claim,
    parts: Mapping[str, Part],
    chosen: frozenset[str],
    keep: Covered | None = None,
    keys: Keys | None = None,
) -> None:
    """Seal each category under its own key, then save all and end the analysis, behind the gate.

    ``keep``: what is kept instead of the media as they came; without one they are erased, unless they
    are kept already. ``keys``: those that categories have already.
    """
    permit = permit_for(held, Operation.SAVE_RESULT, Action.RESULT_SAVE, chosen)
    with keys_of_an_attempt(keys or {}) as mine, sealed_cover(held, permit, keep) as covered:
        rows = [
            sealed_row(permit, held, mine, category, as_json(part))
            for category, part in parts.items()
        ]
        held.renew()
        erasure = commit_results(held, permit, rows, covered)
    if erasure is not None:
        drain_one(erasure)


def as_json(part: Part) -> bytes:
    """A part as it is sealed: the same part, the same bytes."""
    return json.dumps(part, separators=(",", ":"), sort_keys=True).encode()


def result_unit(recording: Recording, category: str) -> Unit:
    """The erasure unit of one category of a recording's results."""
    return Unit(
        subject_id=recording.subject_id,
        purpose_id=recording.purpose_id,
        category=category,
        recording_id=recording.id,
    )


def sealed_part(recording: Recording, row: Result) -> Sealed:
    """One sealed category with what it is bound to."""
    unit = result_unit(recording, row.category)
    place = Row(table="result", column="sealed", row_id=row.id)
    return Sealed(data_key_id=row.data_key_id, unit=unit, row=place, sealed=bytes(row.sealed))


def sealed_row(
    permit: ConsentPermit, held: Claim, keys: Keys, category: str, body: bytes, part: int = 0
) -> Result:
    """A result row, not yet saved; the category's key is made when it has none yet."""
    unit = result_unit(held.recording, category)
    if category not in keys:
        keys[category] = create_data_key(unit)
    row_id = uuid7()
    place = Row(table="result", column="sealed", row_id=row_id)
    return Result(
        id=row_id,
        analysis_id=held.analysis_id,
        category=category,
        part=part,
        data_key_id=keys[category],
        sealed=seal(permit, keys[category], unit, place, body),
    )


def date_results(rows: list[Result], recording: Recording, valid_until: datetime | None) -> None:
    """Give results their date: the recording's as it is now, and no later than the consent's end."""
    until = Recording.objects.values_list("retain_until", flat=True).get(pk=recording.pk)
    for row in rows:
        row.retain_until = min(until, valid_until or until)


def commit_results(
    held: Claim, permit: ConsentPermit, rows: list[Result], covered: SealedCover | None
) -> ErasureRequest | None:
    """One transaction: lock consent, gate again, still mine?, save, entry, and the media's erasure.

    What is erased is the media as they came where covered ones take their place, else all media.
    """
    recording = held.recording
    with transaction.atomic():
        add_rows(
            held,
            permit,
            rows,
            held.ending(Action.RESULT_SAVE),
            state=AnalysisState.DONE,
            finished_at=timezone.now(),
            lease_until=None,
            categories=[row.category for row in rows],
            progress=1.0,
        )
        tell_of_end(recording, held.analysis_id, AnalysisState.DONE)
        if recording.covered_at is not None:
            return None
        if covered is None or not media_may_stay(recording.id):
            return give_up_media(recording, SYSTEM_WORKER.log_name())
        append(permit.signed(held.draft(Action.MEDIA_COVER)))
        request = give_up_original(recording, SYSTEM_WORKER.log_name())
        covered.take_its_place(recording)
        return request


def add_rows(
    held: Claim, permit: ConsentPermit, rows: list[Result], draft: Draft, **changes: Any
) -> None:
    """Inside a transaction: lock consent, gate again, still mine?, then rows, row's changes and entry."""
    recording = held.recording
    state = lock_state(recording.subject_id, recording.purpose_id)
    permit.recheck()
    share_locked(recording.purpose_id)
    date_results(rows, recording, state.valid_until)
    if not Analysis.objects.filter(held.row()).update(**changes):
        raise Superseded
    Result.objects.bulk_create(rows)
    append(permit.signed(draft))
