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
    PURPOSE_OPEN = "purpose:open"
    PURPOSE_CLOSE = "purpose:close"
    PURPOSE_REFUSE = "purpose:refuse"
    PURPOSE_ASSIGN = "purpose:assign"
    NOTICE_PUBLISH = "notice:publish"
    NOTICE_SHOW = "notice:show"
    SUBJECT_CREATE = "subject:create"
    INVITATION_CREATE = "invitation:create"
    INVITATION_SHOW = "invitation:show"
    INVITATION_REDEEM = "invitation:redeem"
    CONSENT_REQUEST = "consent:request"
    CONSENT_GIVE = "consent:give"
    CONSENT_REFUSE = "consent:refuse"
    CONSENT_WITHDRAW = "consent:withdraw"
    CONSENT_READ = "consent:read"
    CONSENT_EXPIRE = "consent:expire"
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
    ANALYSIS_REFUSE = "analysis:refuse"
    ANALYSIS_FAIL = "analysis:fail"
    ERASURE_REQUEST = "erasure:request"
    ERASURE_KEYS_DESTROYED = "erasure:keys-destroyed"
    ERASURE_COMPLETE = "erasure:complete"
    ERASURE_FINAL = "erasure:final"
    RETENTION_EXPIRE = "retention:expire"
    LOG_READ = "log:read"
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
    EPOCH_OPEN = "epoch:open"
    EPOCH_DESTROY = "epoch:destroy"
    CLOCK_CONFIRM = "clock:confirm"


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
    # stated by the system
    ANALYSIS = "analysis"
    INVITE = "invite"
    SIGN_IN = "sign-in"
    NOTIFY = "notify"
    WITHDRAWAL = "withdrawal"
    RETENTION_END = "retention-end"
    MEDIA_NOT_KEPT = "media-not-kept"
    SCHEDULE = "schedule"
    # reasons of a refusal
    NO_CONSENT = "no-consent"
    CONSENT_WITHDRAWN = "consent-withdrawn"
    CONSENT_REFUSED = "consent-refused"
    CONSENT_EXPIRED = "consent-expired"
    CONSENT_CHANGED = "consent-changed"
    CATEGORY_NOT_CONSENTED = "category-not-consented"
    PROCESSING_RESTRICTED = "processing-restricted"
    PURPOSE_NOT_OPEN = "purpose-not-open"
    RETENTION_NOT_SET = "retention-not-set"
    RETENTION_PASSED = "retention-passed"
    PROHIBITED_PURPOSE = "prohibited-purpose"
    NOT_PERMITTED = "not-permitted"
    BAD_CREDENTIALS = "bad-credentials"
    TOO_MANY_ATTEMPTS = "too-many-attempts"
    MEDIA_UNREADABLE = "media-unreadable"
    ATTEMPTS_EXHAUSTED = "attempts-exhausted"
    KEY_DESTROYED = "key-destroyed"
    KEY_UNAVAILABLE = "key-unavailable"
    CLOCK_WRONG = "clock-wrong"
