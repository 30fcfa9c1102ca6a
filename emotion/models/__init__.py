"""Tables of uploads, recordings, analyses and results, of exports, and of questions about groups.

Rows carry opaque ids, states and dates; whatever shows a face or what it expressed is in sealed blobs
and sealed columns, each under a data key of its own erasure unit.
"""

from emotion.models.cohorts import (
    CohortAnswer,
    CohortBudget,
    CohortQuestion,
    CohortState,
)
from emotion.models.exports import (
    Export,
    ExportFormat,
)
from emotion.models.packs import (
    ActivePack,
)
from emotion.models.recordings import (
    MAX_TRIES,
    UNDER_WAY,
    Analysis,
    AnalysisQuerySet,
    AnalysisState,
    Dispute,
    DisputeQuerySet,
    MediaState,
    Recording,
    RecordingQuerySet,
    Result,
    erasures_of_each,
    first_result_due,
    media_may_stay,
    recording_standing,
)
from emotion.models.uploads import (
    PartialUpload,
    Upload,
    UploadPart,
    UploadState,
)

__all__ = [
    "MAX_TRIES",
    "UNDER_WAY",
    "ActivePack",
    "Analysis",
    "AnalysisQuerySet",
    "AnalysisState",
    "CohortAnswer",
    "CohortBudget",
    "CohortQuestion",
    "CohortState",
    "Dispute",
    "DisputeQuerySet",
    "Export",
    "ExportFormat",
    "MediaState",
    "PartialUpload",
    "Recording",
    "RecordingQuerySet",
    "Result",
    "Upload",
    "UploadPart",
    "UploadState",
    "erasures_of_each",
    "first_result_due",
    "media_may_stay",
    "recording_standing",
]
