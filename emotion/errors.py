"""What can be wrong with recordings, analyses and results; config.errors gives each a status."""

from __future__ import annotations


class EmotionError(Exception):
    """Base of everything that this room refuses or cannot do."""

    code = "emotion-error"


class NotFound(EmotionError):
    """It does not exist, or it is not yours; nobody can tell which."""

    code = "not-found"


class Gone(EmotionError):
    """It existed and was erased."""

    code = "erased"


class NotReady(EmotionError):
    """The analysis has not finished yet."""

    code = "not-ready"


class NoResult(EmotionError):
    """The analysis ended without a result: it was refused or failed."""

    code = "no-result"


class NotDisputed(EmotionError):
    """There is no open dispute about this recording."""

    code = "not-disputed"


class ExportInProgress(EmotionError):
    """An export of this client is being sent already."""

    code = "export-in-progress"


class ExportTooLarge(EmotionError):
    """More analyses fit than one archive holds."""

    code = "export-too-large"


class BatchTooLong(EmotionError):
    """More files came than one batch takes."""

    code = "batch-too-long"


class BundleInProgress(EmotionError):
    """A download of this person's data is being made already."""

    code = "download-in-progress"


class ReasonRequired(EmotionError):
    """Reading another person's result needs a stated reason of the closed list."""

    code = "reason-required"


class UploadInvalid(EmotionError):
    """The request is not the upload that this place takes."""

    code = "upload-invalid"


class AnalysisEnded(EmotionError):
    """The analysis has ended, so it cannot be stopped any more."""

    code = "analysis-ended"


class UnderWay(EmotionError):
    """An analysis of this recording waits or runs already."""

    code = "analysis-under-way"


class UploadTooLarge(EmotionError):
    """More bytes than a photograph may have."""

    code = "media-too-large"


class TooManyUploads(EmotionError):
    """More than this client, or for this person, may come just now."""

    code = "too-many-uploads"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class QueueFull(EmotionError):
    """So much waits to be analysed that nothing more is taken."""

    code = "queue-full"
    retry_after = 60


class TusVersion(EmotionError):
    """The request does not speak the version of the tus protocol that is spoken here."""

    code = "tus-version"


class WrongContentType(EmotionError):
    """The body is not said to be what this address takes."""

    code = "content-type"


class OffsetMismatch(EmotionError):
    """The bytes do not begin where the upload has got to."""

    code = "upload-offset-mismatch"


class ChecksumMismatch(EmotionError):
    """The bytes are not those that the checksum was made of."""

    code = "checksum-mismatch"


class UploadHeld(EmotionError):
    """Another request is sending to the same upload."""

    code = "upload-held"


class UploadExpired(EmotionError):
    """The upload was not finished in time."""

    code = "upload-expired"


class UploadStored(EmotionError):
    """The upload is finished: it is a recording, and not for its sender to end."""

    code = "upload-stored"


class CohortBudgetSpent(EmotionError):
    """As much has been told about this group as may ever be told."""

    code = "cohort-budget-spent"


class BackupFailed(EmotionError):
    """A backup cannot be made or put back; the message says what was expected and what was found."""

    code = "backup-failed"


class PackRefused(EmotionError):
    """A pack of models is not taken in, measured or used; ``problems`` says why, a sentence each."""

    code = "pack-refused"

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems
