"""Analysing what is kept once more, with the pack that reads expressions now; the older result stays.

The gate is asked as for any analysis, and whoever asked stands in the person's list of who looked. Which
pack is used nobody says who asks: it is chosen by an act of its own, with its own entry.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.actors import Actor
from audit_log.actions import Action, Outcome
from audit_log.log import append, append_durable
from consent.enforcement import ConsentPermit, asker_of, require_consent
from consent.errors import ConsentRefused, IdempotencyMismatch
from consent.purposes import share_locked
from consent.records import acting_name, lock_state
from consent.rules import Operation
from emotion.active_pack import chosen_digest
from emotion.entries import about_recording
from emotion.errors import Gone, UnderWay
from emotion.models import (
    UNDER_WAY,
    Analysis,
    AnalysisState,
    MediaState,
    Recording,
    recording_standing,
)
from emotion.queue import enqueue_analysis
from emotion.reservations import upload_owner
from emotion.results import find_recording
from vault.index import index
from vault.tags import tagger


def can_be_repeated(recording: Recording) -> bool:
    """Whether the media are still there, and no analysis of them waits or runs."""
    stored = recording.media_state == MediaState.STORED
    return stored and not recording.analyses.filter(state__in=UNDER_WAY).exists()


def analysed_by_other_packs(rows: QuerySet[Analysis]) -> QuerySet[Analysis]:
    """Of these analyses those that could be repeated with another pack than they were read with.

    The newest of each recording that is still there, unless one with the pack in use waits or is done.
    """
    used = chosen_digest()
    of_the_same = Analysis.objects.filter(recording=OuterRef("recording"))
    later = Q(state=AnalysisState.DONE, pk__gt=OuterRef("pk"))
    by_the_used = Q(state=AnalysisState.DONE, pack_sha256=used)
    answered = of_the_same.filter(later | by_the_used | Q(state__in=UNDER_WAY))
    kept = rows.filter(state=AnalysisState.DONE, recording__media_state=MediaState.STORED)
    return kept.exclude(pack_sha256__in=["", used]).exclude(Exists(answered))


def analyse_again(actor: Actor, recording_id: UUID, key: str = "") -> Analysis:
    """File another analysis of a recording; with a key, the same one for the same key.

    Raises NotFound, Gone when the media are erased, UnderWay when one waits or runs already,
    IdempotencyMismatch when the key was used for another recording, and ConsentRefused.
    """
    recording = find_recording(actor, recording_id)
    key_index = None
    if key:
        key_index = index(recording.purpose_id, "repeat-key", f"{upload_owner(actor)} {key}")
        if known := asked_before(recording, key_index):
            return known
    if recording.media_state != MediaState.STORED:
        raise Gone(_("It was erased; there is nothing to analyse again."))
    tags = tagger(recording.subject_id, recording.purpose_id)
    draft = about_recording(recording, Action.ANALYSIS_REPEAT, acting_name(actor, tags), tags)
    try:
        permit = permit_to_analyse(actor, recording, Action.ANALYSIS_REPEAT)
        with transaction.atomic():
            lock_state(recording.subject_id, recording.purpose_id)
            permit.recheck()
            share_locked(recording.purpose_id)
            if known := asked_before(recording, key_index):  # at this very moment
                return known
            if recording.analyses.filter(state__in=UNDER_WAY).exists():
                raise UnderWay(_("An analysis of it waits or runs already."))
            now = timezone.now()
            made = Analysis.objects.create(
                recording=recording, queued_at=now, not_before=now, key_index=key_index
            )
            append(permit.signed(draft))
            transaction.on_commit(partial(enqueue_analysis, made.id))
    except ConsentRefused as refusal:
        append_durable(replace(draft, outcome=Outcome.REFUSED, reason=refusal.reason))
        raise
    except IntegrityError:  # the same key, at this very moment, for another person's recording
        raise IdempotencyMismatch(OTHER_RECORDING) from None
    return made


def permit_to_analyse(actor: Actor, recording: Recording, action: Action) -> ConsentPermit:
    """Ask the gate for whoever wants a recording analysed, or not any more. Raises ConsentRefused."""
    return require_consent(
        subject_id=recording.subject_id,
        purpose_id=recording.purpose_id,
        operation=Operation.ANALYSE,
        asker=asker_of(actor),
        action=action,
        object_kind="recording",
        object_id=recording.id,
        standing=partial(recording_standing, recording.id, media=True),
    )


OTHER_RECORDING = (
    "This Idempotency-Key was used for another recording; use a new key for a new analysis."
)


def asked_before(recording: Recording, key_index: bytes | None) -> Analysis | None:
    """The analysis that the same key has filed. Raises IdempotencyMismatch for another recording's."""
    if key_index is None:
        return None
    known = Analysis.objects.filter(key_index=key_index).first()
    if known is not None and known.recording_id != recording.id:
        raise IdempotencyMismatch(OTHER_RECORDING)
    return known
