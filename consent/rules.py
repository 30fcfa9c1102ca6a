"""The rule of the gate, as one table: who may do what with somebody's recordings under which consent.

Pure: no database, no clock. ``consent.enforcement`` reads the facts and asks here; ``docs/gate.md`` shows
the same table to people, and a test compares the two cell by cell.

A legal hold stands in no cell on purpose. It postpones destruction and never permits anything: what a
withdrawal closed stays closed while it is held.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from audit_log.actions import ReasonCode


class Operation(StrEnum):
    """What the gate is asked about."""

    UPLOAD = "upload"
    ANALYSE = "analyse"
    SAVE_RESULT = "save-result"
    READ_RESULT = "read-result"
    COUNT_RESULT = "count-result"
    READ_MEDIA = "read-media"
    READ_PAPER = "read-paper"


class ConsentStanding(StrEnum):
    """How a person's consent to one purpose stands at one moment."""

    NEVER_ASKED = "never asked"
    REQUESTED = "asked"
    GIVEN = "given"
    RESTRICTED = "given, paused"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class Asker(StrEnum):
    """Who asks: the person it is about, the system on its own, or anybody else.

    Apart from these stand the operator who attested a consent that the person signed on paper, and
    operators whose training is not valid.
    """

    SUBJECT = "the person"
    SYSTEM = "the system"
    ATTESTER = "who attested"
    UNTRAINED = "the untrained"
    OTHER = "others"


class Kept(StrEnum):
    """How the object at hand stands with retention."""

    NOT_YET_THERE = "does not exist yet"
    IN_TIME = "in time"
    PASSED = "over"
    NOT_SET = "no date"


# A consent that does not stand refuses every operation to everybody.
NOT_STANDING: dict[ConsentStanding, ReasonCode] = {
    ConsentStanding.NEVER_ASKED: ReasonCode.NO_CONSENT,
    ConsentStanding.REQUESTED: ReasonCode.NO_CONSENT,
    ConsentStanding.REFUSED: ReasonCode.CONSENT_REFUSED,
    ConsentStanding.WITHDRAWN: ReasonCode.CONSENT_WITHDRAWN,
    ConsentStanding.EXPIRED: ReasonCode.CONSENT_EXPIRED,
}
READS = {Operation.READ_RESULT, Operation.READ_MEDIA, Operation.READ_PAPER}
# Whoever says that somebody signed has nothing to gain by saying so: they never see what it opens.
# What is counted in figures about a group is shown to nobody, so it stays out of these two.
CLOSED_TO_ATTESTER = READS
# Numbers about a face mislead whoever was not taught what they mean and how often they are wrong.
CLOSED_TO_UNTRAINED = {Operation.READ_RESULT, Operation.READ_MEDIA}
# Restriction of processing (GDPR Art. 18): kept, readable to the person, and nothing else.
WHILE_RESTRICTED: dict[tuple[Operation, Asker], ReasonCode | None] = {
    (operation, asker): None
    if asker is Asker.SUBJECT and operation in READS
    else ReasonCode.PROCESSING_RESTRICTED
    for operation in Operation
    for asker in Asker
}
# What adds something new needs an open purpose; a closed one can still be read.
NEEDS_OPEN_PURPOSE = {Operation.UPLOAD, Operation.ANALYSE, Operation.SAVE_RESULT}
BY_RETENTION: dict[Kept, ReasonCode | None] = {
    Kept.NOT_YET_THERE: None,
    Kept.IN_TIME: None,
    Kept.PASSED: ReasonCode.RETENTION_PASSED,
    Kept.NOT_SET: ReasonCode.RETENTION_NOT_SET,
}


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Everything that the rule rests on, read at one moment.

    Fields:
        purpose_open: whether the purpose takes new recordings; periods_set: whether it says how long
        media and results are kept; covered: whether the consent covers every category asked for.
    """

    standing: ConsentStanding
    purpose_open: bool
    periods_set: bool
    covered: bool
    kept: Kept


def refusal(operation: Operation, asker: Asker, facts: Facts) -> ReasonCode | None:
    """Why the operation is refused, or None when it is allowed. The first reason that applies counts."""
    if facts.standing in NOT_STANDING:
        return NOT_STANDING[facts.standing]
    if asker is Asker.ATTESTER and operation in CLOSED_TO_ATTESTER:
        return ReasonCode.ATTESTED_BY_READER
    if asker is Asker.UNTRAINED and operation in CLOSED_TO_UNTRAINED:
        return ReasonCode.TRAINING_MISSING
    if facts.standing is ConsentStanding.RESTRICTED and WHILE_RESTRICTED[operation, asker]:
        return WHILE_RESTRICTED[operation, asker]
    if operation in NEEDS_OPEN_PURPOSE and not facts.purpose_open:
        return ReasonCode.PURPOSE_NOT_OPEN
    if not facts.periods_set:
        return ReasonCode.RETENTION_NOT_SET
    if not facts.covered:
        return ReasonCode.CATEGORY_NOT_CONSENTED
    return BY_RETENTION[facts.kept]
