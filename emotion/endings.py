"""Telling clients how an analysis ended: done, failed, or stopped by gate, person or operator."""

from __future__ import annotations

from uuid import UUID

from consent.models import TellingKind
from consent.notifications import tell_of_analysis
from consent.recipients import About
from emotion.models import AnalysisState, Recording

KINDS = {
    AnalysisState.DONE: TellingKind.ANALYSIS_DONE,
    AnalysisState.FAILED: TellingKind.ANALYSIS_FAILED,
    AnalysisState.REFUSED: TellingKind.ANALYSIS_REFUSED,
    AnalysisState.CANCELLED: TellingKind.ANALYSIS_REFUSED,
}


def tell_of_end(recording: Recording, analysis_id: UUID, state: AnalysisState) -> None:
    """Let the webhooks that want it know, in the transaction that ends the analysis."""
    about = About(
        subject_id=recording.subject_id,
        purpose_id=recording.purpose_id,
        recording_id=recording.id,
        analysis_id=analysis_id,
    )
    tell_of_analysis(KINDS[state], about)
