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


class BundleInProgress(EmotionError):
    """A download of this person's data is being made already."""

    code = "download-in-progress"


class ReasonRequired(EmotionError):
    """Reading another person's result needs a stated reason of the closed list."""

    code = "reason-required"


class UploadInvalid(EmotionError):
    """The request is not the upload that this place takes."""

    code = "upload-invalid"


class UnderWay(EmotionError):
    """An analysis of this recording waits or runs already."""

    code = "analysis-under-way"


class ParameterInvalid(EmotionError):
    """A parameter of the request is none of those that are known."""

    code = "parameter-invalid"


class UploadTooLarge(EmotionError):
    """More bytes than a photograph may have."""

    code = "media-too-large"


class IdempotencyConflict(EmotionError):
    """The same idempotency key came with another body."""

    code = "idempotency-mismatch"


class IdempotencyInProgress(EmotionError):
    """The same idempotency key is being received right now."""

    code = "idempotency-in-progress"


class BackupFailed(EmotionError):
    """A backup cannot be made or put back; the message says what was expected and what was found."""

    code = "backup-failed"


class PackRefused(EmotionError):
    """A pack of models is not taken in, measured or used; ``problems`` says why, a sentence each."""

    code = "pack-refused"

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems
