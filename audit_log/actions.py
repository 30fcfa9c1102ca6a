"""The vocabulary of the access log: what can happen, how it ended, and why.

An action is ``source:verb``. All actions of the product are in this one enum, so that a reader of
the log needs one list and a test can compare what is written with what exists.
"""

from __future__ import annotations

from enum import StrEnum


class Action(StrEnum):
    """What was done or tried."""

    PURPOSE_CREATE = "purpose:create"
    PURPOSE_CHANGE = "purpose:change"
    PURPOSE_SUBMIT = "purpose:submit"
    PURPOSE_SEND_BACK = "purpose:send-back"
    PURPOSE_APPROVE_EXCEPTION = "purpose:approve-exception"
    PURPOSE_OPEN = "purpose:open"
    PURPOSE_CLOSE = "purpose:close"
    PURPOSE_SHORTEN = "purpose:shorten"
    PURPOSE_REFUSE = "purpose:refuse"
    PURPOSE_ASSIGN = "purpose:assign"
    ASSESSMENT_WRITE = "assessment:write"
    ASSESSMENT_APPROVE = "assessment:approve"
    NOTICE_PUBLISH = "notice:publish"
    NOTICE_SHOW = "notice:show"
    SUBJECT_CREATE = "subject:create"
    INVITATION_CREATE = "invitation:create"
    INVITATION_SHOW = "invitation:show"
    INVITATION_REDEEM = "invitation:redeem"
    CONSENT_REQUEST = "consent:request"
    CONSENT_GIVE = "consent:give"
    CONSENT_GUARDIAN = "consent:guardian"
    CONSENT_ATTEST = "consent:attest"
    CONSENT_REFUSE = "consent:refuse"
    CONSENT_WITHDRAW = "consent:withdraw"
    CONSENT_NARROW = "consent:narrow"
    CONSENT_RESTRICT = "consent:restrict"
    CONSENT_RESUME = "consent:resume"
    CONSENT_READ = "consent:read"
    CONSENT_EXPIRE = "consent:expire"
    PAPER_READ = "paper:read"
    IDENTITY_READ = "identity:read"
    MESSAGE_QUEUE = "message:queue"
    MESSAGE_SEND = "message:send"
    MESSAGE_READ = "message:read"
    MEDIA_UPLOAD = "media:upload"
    MEDIA_READ = "media:read"
    MEDIA_ANALYSE = "media:analyse"
    MEDIA_ERASE = "media:erase"
    RESULT_SAVE = "result:save"
    RESULT_READ = "result:read"
    DISPUTE_OPEN = "dispute:open"
    DISPUTE_RETRACT = "dispute:retract"
    DISPUTE_HANDLE = "dispute:handle"
    ANALYSIS_REFUSE = "analysis:refuse"
    ANALYSIS_FAIL = "analysis:fail"
    REQUEST_MAKE = "request:make"
    REQUEST_RETRACT = "request:retract"
    REQUEST_TAKE = "request:take"
    REQUEST_EXTEND = "request:extend"
    REQUEST_READ = "request:read"
    REQUEST_ANSWER = "request:answer"
    REQUEST_ERASE = "request:erase"
    BREACH_RECORD = "breach:record"
    BREACH_DRAW = "breach:draw"
    BREACH_READ = "breach:read"
    BREACH_NOTIFY = "breach:notify"
    BREACH_TELL = "breach:tell"
    BREACH_PERSON_TOLD = "breach:person-told"
    BREACH_CLOSE = "breach:close"
    BREACH_ERASE = "breach:erase"
    HOLD_PLACE = "hold:place"
    HOLD_LIFT = "hold:lift"
    HOLD_END = "hold:end"
    ERASURE_REQUEST = "erasure:request"
    ERASURE_KEYS_DESTROYED = "erasure:keys-destroyed"
    ERASURE_COMPLETE = "erasure:complete"
    ERASURE_FINAL = "erasure:final"
    ERASURE_TOLD = "erasure:told"
    ERASURE_ACKNOWLEDGED = "erasure:acknowledged"
    ACCOUNT_CLOSE = "account:close"
    TAGS_DESTROY = "tags:destroy"
    RETENTION_EXPIRE = "retention:expire"
    LOG_READ = "log:read"
    LOG_EXPORT = "log:export"
    LOG_START = "log:start"
    LOGIN_SUCCEED = "login:succeed"
    LOGIN_FAIL = "login:fail"
    LOGOUT = "login:end"
    CODE_SEND = "login:code-send"
    AUTHENTICATOR_CHANGE = "login:authenticator-change"
    OPERATOR_CREATE = "operator:create"
    OPERATOR_CHANGE = "operator:change"
    CLIENT_CREATE = "client:create"
    CLIENT_REVOKE = "client:revoke"
    WEBHOOK_CREATE = "webhook:create"
    WEBHOOK_CHANGE = "webhook:change"
    EPOCH_OPEN = "epoch:open"
    EPOCH_DESTROY = "epoch:destroy"
    CLOCK_CONFIRM = "clock:confirm"
    BACKUP_MAKE = "backup:make"
    BACKUP_RESTORE = "backup:restore"


LOOKS = frozenset(
    {
        Action.RESULT_READ,
        Action.MEDIA_READ,
        Action.PAPER_READ,
        Action.IDENTITY_READ,
        Action.MESSAGE_READ,
        Action.REQUEST_READ,
    }
)
"""What shows somebody what is sealed about a person, as opposed to the bookkeeping around it."""


class Outcome(StrEnum):
    """How it ended."""

    OK = "ok"
    REFUSED = "refused"
    FAILED = "failed"


class ReasonCode(StrEnum):
    """Why: a reason stated by whoever acted, or the reason of a refusal. A closed list."""

    # stated by the person or the client that reads
    OWN_ACCESS = "own-access"
    STUDY_ANALYSIS = "study-analysis"
    QUALITY_CHECK = "quality-check"
    SUBJECT_REQUEST = "subject-request"
    INCIDENT_INVESTIGATION = "incident-investigation"
    LEGAL_OBLIGATION = "legal-obligation"
    # stated by the data protection officer who places a legal hold
    LEGAL_CLAIM = "legal-claim"
    AUTHORITY_REQUEST = "authority-request"
    COMPLAINT = "complaint"
    # stated by whoever takes more time for a person's request
    REQUEST_COMPLEX = "request-complex"
    MANY_REQUESTS = "many-requests"
    # stated by the data protection officer about a breach
    EXTENT_UNKNOWN = "extent-unknown"
    RECOGNISED_LATE = "recognised-late"
    AUTHORITY_OUT_OF_REACH = "authority-out-of-reach"
    RISK_UNLIKELY = "risk-unlikely"
    RISK_NOT_HIGH = "risk-not-high"
    DATA_SEALED = "data-sealed"
    RISK_AVERTED = "risk-averted"
    PUBLIC_NOTICE = "public-notice"
    # stated by the system
    ANALYSIS = "analysis"
    INVITE = "invite"
    SIGN_IN = "sign-in"
    NOTIFY = "notify"
    WITHDRAWAL = "withdrawal"
    RETENTION_END = "retention-end"
    MEDIA_NOT_KEPT = "media-not-kept"
    PURPOSE_END = "purpose-end"
    UNUSED = "unused"
    ACCOUNT_CLOSED = "account-closed"
    SCHEDULE = "schedule"
    BACKUP_RESTORED = "backup-restored"
    # reasons of a refusal
    NO_CONSENT = "no-consent"
    CONSENT_WITHDRAWN = "consent-withdrawn"
    CONSENT_REFUSED = "consent-refused"
    CONSENT_EXPIRED = "consent-expired"
    CONSENT_CHANGED = "consent-changed"
    ATTESTED_BY_READER = "attested-by-reader"
    CATEGORY_NOT_CONSENTED = "category-not-consented"
    PROCESSING_RESTRICTED = "processing-restricted"
    PURPOSE_NOT_OPEN = "purpose-not-open"
    RETENTION_NOT_SET = "retention-not-set"
    RETENTION_PASSED = "retention-passed"
    RECORDING_DISPUTED = "recording-disputed"
    UPLOADS_DISPUTED = "uploads-disputed"
    BEING_ERASED = "being-erased"
    PROHIBITED_PURPOSE = "prohibited-purpose"
    NOT_PERMITTED = "not-permitted"
    BAD_CREDENTIALS = "bad-credentials"
    TOO_MANY_ATTEMPTS = "too-many-attempts"
    MEDIA_UNREADABLE = "media-unreadable"
    ATTEMPTS_EXHAUSTED = "attempts-exhausted"
    KEY_DESTROYED = "key-destroyed"
    KEY_UNAVAILABLE = "key-unavailable"
    CLOCK_WRONG = "clock-wrong"
    # grounds on which a person's request is refused, besides a legal claim and an obligation
    NO_SUCH_DATA = "no-such-data"
    DOES_NOT_APPLY = "does-not-apply"
    RIGHTS_OF_OTHERS = "rights-of-others"
    EXCESSIVE_REQUEST = "excessive-request"
