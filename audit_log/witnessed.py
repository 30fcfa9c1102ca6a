"""What witnesses have said about this log, and which checkpoint is therefore the one to publish.

The file that ``LOG_WITNESS_POLICY`` names says how many of which witnesses a checkpoint needs to count as
witnessed. When they do not answer the log goes on: its newest checkpoint is published with the log's own
signature only, and the pages say that nobody else has seen it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from audit_log.checkpoint import InvalidNote
from audit_log.cosignature import WitnessKey, cosignatures
from audit_log.errors import WitnessError
from audit_log.models import Checkpoint, Cosignature
from audit_log.witness_policy import NONE, InvalidPolicy, Policy, read_policy

logger = logging.getLogger(__name__)

RECENT = timedelta(minutes=10)
"""How long a checkpoint may wait for witnesses, and the witnessed one before it still be published."""
LOOKED_AT = 20  # cosigned checkpoints, newest first, among which one with a quorum is looked for


@dataclass(frozen=True)
class Standing:
    """What one witness has said last: the size of the tree and when, or None."""

    name: str
    key: WitnessKey
    size: int | None
    at: datetime | None


def policy() -> Policy:
    """The policy of this installation; without a file nobody is asked. Raises WitnessError."""
    path = settings.LOG_WITNESS_POLICY
    if not path:
        return Policy()
    try:
        return read_policy(Path(path).read_bytes())
    except OSError as error:
        raise WitnessError(f"{path}: {error.strerror}.") from error
    except InvalidPolicy as error:
        raise WitnessError(f"{path}, {error}.") from error


def witnessed_checkpoint(rules: Policy) -> Checkpoint | None:
    """The newest checkpoint that enough witnesses have cosigned, or None."""
    if rules.quorum == NONE:
        return None
    rows = Checkpoint.objects.filter(cosignatures__isnull=False).distinct().order_by("-size")
    for row in rows[:LOOKED_AT]:
        if rules.is_met(who_cosigned(row, rules.witnesses.values())):
            return row
    return None


def who_cosigned(row: Checkpoint, witnesses: Iterable[WitnessKey]) -> set[WitnessKey]:
    """Which of these witnesses have cosigned a checkpoint, verified anew."""
    try:
        return {word.witness for word in cosignatures(row.cosigned_note(), witnesses)}
    except InvalidNote:
        logger.error("the cosignatures of %s do not verify", row)
        return set()


def standings() -> list[Standing]:
    """What each witness of the policy has said last; none for a policy that cannot be read."""
    try:
        known = policy().witnesses.items()
    except WitnessError as error:
        logger.error("%s", error)
        return []
    found = []
    for name, key in known:
        row = Cosignature.objects.filter(witness=str(key)).order_by("-checkpoint_id").first()
        found.append(
            Standing(name, key, row.checkpoint_id if row else None, row.at if row else None)
        )
    return found


def published_checkpoint() -> Checkpoint | None:
    """The checkpoint to show the world: the newest witnessed one, unless witnesses are long behind.

    That is when one waits for them that was signed more than ``RECENT`` ago; how long nothing happened
    before it does not count. None before the first. A policy that cannot be read is the business of
    ``check``; here the log goes on.
    """
    newest = Checkpoint.objects.order_by("-size").first()
    if newest is None:
        return None
    try:
        witnessed = witnessed_checkpoint(policy())
    except WitnessError as error:
        logger.error("%s", error)
        return newest
    if witnessed is None:
        return newest
    waiting = Checkpoint.objects.filter(size__gt=witnessed.size).order_by("size").first()
    if waiting and timezone.now() - waiting.signed_at > RECENT:
        return newest
    return witnessed
