"""Analysing a kept photograph once more, with the pack that reads expressions now; the older result stays.

The gate is asked as for any analysis, and whoever asked stands in the person's list of who looked. Films
are not kept, so there is nothing to analyse again.
"""

from __future__ import annotations

from functools import partial
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.actors import Actor
from audit_log.actions import Action, Outcome
from audit_log.entries import Draft
from audit_log.log import append, append_durable
from consent.enforcement import asker_of, require_consent
from consent.errors import ConsentRefused
from consent.purposes import share_locked
from consent.records import acting_name, lock_state
from consent.rules import Operation
from emotion.errors import Gone, UnderWay
from emotion.models import Analysis, AnalysisState, MediaState, Recording, recording_standing
from emotion.queue import enqueue_analysis
from emotion.results import find_recording
from vault.tags import tagger

UNDER_WAY = (AnalysisState.QUEUED, AnalysisState.RUNNING)


def can_be_repeated(recording: Recording) -> bool:
    """Whether the media are still there, and no analysis of them waits or runs."""
    stored = recording.media_state == MediaState.STORED and not recording.is_film
    return stored and not recording.analyses.filter(state__in=UNDER_WAY).exists()


def analyse_again(actor: Actor, recording_id: UUID) -> Analysis:
    """File another analysis of a recording.

    Raises NotFound, Gone when the media are erased, UnderWay when one waits or runs already, and
    ConsentRefused.
    """
    recording = find_recording(actor, recording_id)
    if recording.media_state != MediaState.STORED or recording.is_film:
        raise Gone(_("It was erased; there is nothing to analyse again."))
    tags = tagger(recording.subject_id, recording.purpose_id)
    draft = partial(
        Draft,
        action=Action.ANALYSIS_REPEAT,
        actor=acting_name(actor, tags),
        purpose_id=recording.purpose_id,
        subject_tag=tags.subject(),
        object_tag=tags.object("recording", recording.id),
    )
    try:
        permit = require_consent(
            subject_id=recording.subject_id,
            purpose_id=recording.purpose_id,
            operation=Operation.ANALYSE,
            asker=asker_of(actor),
            action=Action.ANALYSIS_REPEAT,
            object_kind="recording",
            object_id=recording.id,
            standing=partial(recording_standing, recording.id, media=True),
        )
        with transaction.atomic():
            lock_state(recording.subject_id, recording.purpose_id)
            permit.recheck()
            share_locked(recording.purpose_id)
            if recording.analyses.filter(state__in=UNDER_WAY).exists():
                raise UnderWay(_("An analysis of it waits or runs already."))
            now = timezone.now()
            made = Analysis.objects.create(recording=recording, queued_at=now, not_before=now)
            append(
                draft(
                    consent_tag=permit.consent_tag,
                    policy_version=permit.policy_version,
                    permit_id=permit.permit_id,
                )
            )
            transaction.on_commit(partial(enqueue_analysis, made.id))
    except ConsentRefused as refusal:
        append_durable(draft(outcome=Outcome.REFUSED, reason=refusal.reason))
        raise
    return made
