"""What every entry of the access log about a recording says, whoever acts on it."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from audit_log.actions import Action
from audit_log.entries import Draft
from audit_log.row_entries import ending
from emotion.models import Recording
from vault.tags import Tagger


def about_recording(recording: Recording, action: Action, actor: str, tags: Tagger) -> Draft:
    """An entry of what an actor (its name in the log) does with a recording, without outcome or reason."""
    return Draft(
        action=action,
        actor=actor,
        purpose_id=recording.purpose_id,
        subject_tag=tags.subject(),
        object_tag=tags.object("recording", recording.id),
    )


def ending_analysis(draft: Draft, analysis_id: UUID, tags: Tagger) -> Draft:
    """The entry of the end of one analysis: its detail says which, because a recording may have several."""
    return replace(draft, detail=ending(tags.object("analysis", analysis_id)))
