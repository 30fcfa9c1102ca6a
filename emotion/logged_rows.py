"""Recordings and ended analyses, which were written together with an entry of the log."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from audit_log.actions import Action
from audit_log.row_entries import Logged, register
from emotion.models import Analysis, AnalysisState, Recording
from vault.logged_rows import tags_of
from vault.tags import Tagger

ENDS = {
    AnalysisState.DONE: Action.RESULT_SAVE,
    AnalysisState.REFUSED: Action.ANALYSIS_REFUSE,
    AnalysisState.FAILED: Action.ANALYSIS_FAIL,
}


@register
def recordings() -> Iterator[Logged]:
    """The upload of every recording whose tags can still be made, and the end of each analysis of it."""
    about: tuple[UUID, UUID] | None = None
    tags: Tagger | None = None
    for recording in Recording.objects.order_by("subject", "purpose_id").iterator():
        if about != (recording.subject_id, recording.purpose_id):
            about = (recording.subject_id, recording.purpose_id)
            tags = tags_of(*about)
        if not tags:
            continue
        tag = tags.object("recording", recording.id)
        yield Logged(
            row=f"recording {recording.id}",
            object_tag=tag,
            actions=frozenset({Action.MEDIA_UPLOAD}),
        )
        for analysis_id, state in Analysis.objects.filter(
            recording=recording, state__in=list(ENDS)
        ).values_list("id", "state"):
            yield Logged(
                row=f"analysis {analysis_id} ({state})",
                object_tag=tag,
                actions=frozenset({ENDS[AnalysisState(state)]}),
            )
