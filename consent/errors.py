"""What can be wrong in this room. Each class has a stable code; config.errors gives it a status."""

from __future__ import annotations

import math
from datetime import timedelta
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from audit_log.actions import ReasonCode


class ConsentError(Exception):
    """Base of everything that consent refuses or cannot do."""

    code = "consent-error"


class ConsentRefused(ConsentError):
    """The gate says no. ``code`` is the reason, one of the closed list.

    ``log_entry``: the access-log entry of the refusal, once it is written.
    """

    log_entry: UUID | None = None

    def __init__(self, reason: ReasonCode, message: str | Promise = "") -> None:
        self.reason = reason
        self.code = reason.value
        super().__init__(message or REFUSALS.get(reason, _("The gate refused this operation.")))


REFUSALS = {
    ReasonCode.NO_CONSENT: _("This person has given no consent to this purpose."),
    ReasonCode.CONSENT_WITHDRAWN: _("This person has withdrawn their consent to this purpose."),
    ReasonCode.CONSENT_REFUSED: _("This person has refused this purpose."),
    ReasonCode.CONSENT_EXPIRED: _("The consent to this purpose has ended and was not renewed."),
    ReasonCode.CONSENT_CHANGED: _("The consent changed while the operation was under way."),
    ReasonCode.ATTESTED_BY_READER: _(
        "You attested that this person signed on paper. Whoever attests never sees what is recorded; "
        "a colleague has to look."
    ),
    ReasonCode.TRAINING_MISSING: _(
        "Your training is not valid, so no result and no picture of a person opens for you. A colleague "
        "has to write down that you were trained."
    ),
    ReasonCode.CATEGORY_NOT_CONSENTED: _("The consent does not cover this data category."),
    ReasonCode.PURPOSE_NOT_OPEN: _("This purpose is not open."),
    ReasonCode.RETENTION_NOT_SET: _("The purpose has no retention period, so nothing may be kept."),
    ReasonCode.RETENTION_PASSED: _("The retention period of this recording is over."),
    ReasonCode.PROCESSING_RESTRICTED: _(
        "This person has paused the study; nothing is done with it."
    ),
    ReasonCode.RECORDING_DISPUTED: _(
        "This recording is closed: it is said not to show the person under whose name it is filed."
    ),
    ReasonCode.UPLOADS_DISPUTED: _(
        "An earlier upload is said not to show this person. Until the study's staff have answered, "
        "its uploader can add nothing for them."
    ),
    ReasonCode.BEING_ERASED: _("This is being erased; nobody can open it any more."),
    ReasonCode.CLOCK_WRONG: _("The clock of this installation is wrong; try again later."),
}


class ProhibitedPurpose(ConsentError):
    """No consent and no administrator can allow this; the message names the article."""

    code = "prohibited-purpose"


class InvalidPurpose(ConsentError):
    """A purpose is incomplete or in the wrong state for what was asked."""

    code = "invalid-purpose"


class IncompletePurpose(InvalidPurpose):
    """Something in a purpose is missing or does not fit together; ``problems``: a sentence by field."""

    def __init__(self, problems: dict[str, str]) -> None:
        self.problems = problems
        super().__init__(" ".join(problems.values()))


class InvalidHold(ConsentError):
    """A legal hold without a possible end, over nobody, or over already."""

    code = "invalid-hold"


class InvalidRequest(ConsentError):
    """A person's request that cannot be made, or that is answered, taken or extended by the wrong one."""

    code = "invalid-request"


class InvalidBreach(ConsentError):
    """A breach record that contradicts itself or the clock, or a step at the wrong time."""

    code = "invalid-breach"


class InvalidAssessment(ConsentError):
    """An impact assessment is incomplete, replaced, or approved by the wrong person."""

    code = "invalid-assessment"


class InvalidDocument(ConsentError):
    """A document is too large, empty, or neither PDF nor plain text."""

    code = "invalid-document"


class InvalidPaper(ConsentError):
    """A consent on paper that cannot be entered: for this person or purpose, by its date or its scan."""

    code = "invalid-paper"


class PaperGone(ConsentError):
    """The scan of a signed paper was erased."""

    code = "gone"


class InvalidNotice(ConsentError):
    """A notice is incomplete, or not the one that is in force."""

    code = "invalid-notice"


class InvalidChoice(ConsentError):
    """The choices do not fit the purpose."""

    code = "invalid-choice"


class PartsLeftOut(ConsentError):
    """A new yes leaves out what the standing one covers; its erasure was not agreed to beforehand.

    ``parts``: the data categories whose measurements would be erased.
    """

    code = "parts-left-out"

    def __init__(self, parts: list[str]) -> None:
        self.parts = parts
        super().__init__(
            _("Nothing was recorded: what was measured of a part that you leave out is erased.")
        )


class WrongAge(ConsentError):
    """Somebody too young to say yes alone, or at all."""

    code = "wrong-age"


class NotTheSubject(ConsentError):
    """Consent is the data subject's own act."""

    code = "not-the-subject"


class AddressNotFiled(ConsentError):
    """An address that is not changed by whoever tried, or cannot be this person's; which is not told."""

    code = "address-not-filed"


class OnlyByMail(ConsentError):
    """A link that is shown to nobody: it goes to the person's own address."""

    code = "only-by-mail"


class InvitationInvalid(ConsentError):
    """An invitation that is unknown, used, expired or withdrawn; all four look the same."""

    code = "invitation-invalid"


class UnknownSubject(ConsentError):
    """No such data subject in what the asker may see."""

    code = "not-found"


class UnknownErasure(ConsentError):
    """No such erasure for the client that asks."""

    code = "not-found"


class InvalidWebhook(ConsentError):
    """A webhook's address that is not allowed, or a step that its state does not."""

    code = "invalid-webhook"


class ReferenceTaken(ConsentError):
    """The purpose already has a subject with this reference or address."""

    code = "reference-taken"


class SignInFailed(ConsentError):
    """The code is wrong, used or too old."""

    code = "sign-in-failed"


class InvalidReference(ConsentError):
    """A reference that cannot be filed."""

    code = "invalid-reference"


class NotThere(ConsentError):
    """What a client asks for does not exist, or is not its own."""

    code = "not-found"


class AlreadyAnswered(ConsentError):
    """The person has answered; they are not asked again, and there is no question to take back."""

    code = "already-answered"


class QuestionTakenBack(ConsentError):
    """The question was taken back, so there is none to send again."""

    code = "question-taken-back"


class NoAddress(ConsentError):
    """No address of the person is known to which a letter could go."""

    code = "no-address"


class AskedOftenEnough(ConsentError):
    """Another letter would pester a person who does not answer; no time makes that better."""

    code = "asked-often-enough"


class Later(ConsentError):
    """What will be possible in ``retry_after`` seconds."""

    def __init__(self, message: str | Promise, after: timedelta) -> None:
        super().__init__(message)
        self.retry_after = max(1, math.ceil(after.total_seconds()))


class AskedTooSoon(Later):
    """The last letter to the person is less than a day old."""

    code = "asked-too-soon"


class ReplayedTooSoon(Later):
    """The same thing was sent again less than a minute ago."""

    code = "replayed-too-soon"


class NotIntegrated(Later):
    """No checkpoint covers the entry yet."""

    code = "not-integrated"


class InvalidIdempotencyKey(ConsentError):
    """An Idempotency-Key that is empty or too long."""

    code = "invalid-idempotency-key"


class IdempotencyMismatch(ConsentError):
    """An Idempotency-Key that was used for something else."""

    code = "idempotency-mismatch"


class IdempotencyInProgress(ConsentError):
    """The first request with this Idempotency-Key is still under way."""

    code = "idempotency-in-progress"
