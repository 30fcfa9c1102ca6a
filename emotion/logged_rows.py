"""Recordings and ended analyses, which were written together with an entry of the log."""

from __future__ import annotations

from collections.abc import Iterator

from audit_log.actions import Action, Outcome, ReasonCode
from audit_log.row_entries import Logged, register
from emotion.models import Analysis, AnalysisState, PartialUpload, Recording
from vault.logged_rows import with_tags

ENDS = {
    AnalysisState.DONE: (Action.RESULT_SAVE, Outcome.OK),
    AnalysisState.REFUSED: (Action.ANALYSIS_REFUSE, Outcome.REFUSED),
    AnalysisState.FAILED: (Action.ANALYSIS_FAIL, Outcome.FAILED),
    AnalysisState.CANCELLED: (Action.ANALYSIS_CANCEL, Outcome.OK),
}


@register
def recordings() -> Iterator[Logged]:
    """The upload of every recording whose tags can still be made."""
    rows = Recording.objects.order_by("subject", "purpose_id").iterator()
    for recording, tags in with_tags(rows, lambda row: (row.subject_id, row.purpose_id)):
        yield Logged(
            row=f"recording {recording.id}",
            object_tag=tags.object("recording", recording.id),
            actions=frozenset({Action.MEDIA_UPLOAD}),
        )


@register
def partial_uploads() -> Iterator[Logged]:
    """The beginning of every upload that is still on its way."""
    rows = (
        PartialUpload.objects.select_related("upload").order_by("subject", "purpose_id").iterator()
    )
    for partial, tags in with_tags(rows, lambda row: (row.subject_id, row.purpose_id)):
        yield Logged(
            row=f"upload {partial.upload_id}",
            object_tag=tags.object("recording", partial.upload.recording_id),
            actions=frozenset({Action.UPLOAD_BEGIN}),
        )


@register
def ended_analyses() -> Iterator[Logged]:
    """The end of every analysis whose tags can still be made."""
    rows = (
        Analysis.objects.filter(state__in=list(ENDS))
        .select_related("recording")
        .order_by("recording__subject", "recording__purpose_id")
        .iterator()
    )
    for analysis, tags in with_tags(
        rows, lambda row: (row.recording.subject_id, row.recording.purpose_id)
    ):
        row = f"analysis {analysis.id} ({analysis.state})"
        recording = tags.object("recording", analysis.recording_id)
        action, outcome = ENDS[AnalysisState(analysis.state)]
        disputed = None
        if analysis.reason == ReasonCode.RECORDING_DISPUTED:
            # A dispute stops all that waits and all that runs, with one entry of its own.
            disputed = Logged(
                row=row, object_tag=recording, actions=frozenset({Action.DISPUTE_OPEN})
            )
        yield Logged(
            row=row,
            object_tag=recording,
            actions=frozenset({action}),
            outcomes=frozenset({outcome}),
            ends=tags.object("analysis", analysis.id),
            also=disputed,
        )
