"""What an entry is: a draft from a flow, and the canonical bytes that are stored and hashed.

Canonical bytes are JSON with sorted keys, no spaces, UTF-8, byte strings as lower-case hex. They are
stored verbatim and never serialised again; ``parse`` accepts only bytes that it would write itself.
The format is described in ``docs/access-log.md``.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from audit_log.actions import Action, Outcome, ReasonCode
from audit_log.errors import InvalidEntry

VERSION = 1
# C2SP tlog-tiles stores an entry's length in 16 bits.
MAX_BODY = 65_535
TAG_LENGTH = 32
UUID_PATTERN = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
ACTOR = re.compile(
    rf"(?:operator|client|auditor):{UUID_PATTERN}|system:[a-z][a-z0-9-]{{0,39}}"
    r"|subject:[0-9a-f]{64}|anonymous"
)
POLICY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}|")


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What a flow knows about an entry before it is written.

    Tags are 32-byte HMACs made by the vault, or empty. ``detail`` is JSON in UTF-8, or empty: numbers,
    dates, words of closed lists and random ids, which name nobody and so are not sealed. Raises
    InvalidEntry for an actor, tag or policy version of the wrong form: free text has no way in.
    """

    action: Action
    actor: str
    outcome: Outcome = Outcome.OK
    reason: ReasonCode | None = None
    purpose_id: UUID | None = None
    subject_tag: bytes = b""
    consent_tag: bytes = b""
    object_tag: bytes = b""
    policy_version: str = ""
    permit_id: UUID | None = None
    detail: bytes = b""

    def __post_init__(self) -> None:
        if ACTOR.fullmatch(self.actor) is None:
            raise InvalidEntry(
                "An actor is operator:<uuid>, client:<uuid>, auditor:<uuid>, system:<name>, "
                f"subject:<64 hex digits> or anonymous; got {self.actor!r}."
            )
        for name in ("subject_tag", "consent_tag", "object_tag"):
            length = len(getattr(self, name))
            if length not in {0, TAG_LENGTH}:
                raise InvalidEntry(f"{name} has 32 bytes or none; got {length}.")
        if POLICY.fullmatch(self.policy_version) is None:
            raise InvalidEntry(
                "A policy version is up to 100 letters, digits and ._:/-; "
                f"got {self.policy_version!r}."
            )


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An entry with its id (UUIDv7) and time; ``canonical`` gives the bytes that are hashed."""

    id: UUID
    time: datetime
    draft: Draft

    def canonical(self) -> bytes:
        """The bytes of this entry. Raises InvalidEntry when they would be too long for a tile."""
        draft = self.draft
        time = self.time.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00")
        # Written out, because a log of a million entries is read back this way: no value that a draft
        # lets in needs an escape, and `parse` would refuse the bytes if one did.
        encoded = (
            f'{{"action":"{draft.action.value}","actor":"{draft.actor}",'
            f'"consent":"{draft.consent_tag.hex()}","detail":"{draft.detail.hex()}","id":"{self.id}",'
            f'"object":"{draft.object_tag.hex()}","outcome":"{draft.outcome.value}",'
            f'"permit":{quoted(draft.permit_id)},"policy":"{draft.policy_version}",'
            f'"purpose":{quoted(draft.purpose_id)},'
            f'"reason":{quoted(draft.reason.value if draft.reason else None)},'
            f'"subject":"{draft.subject_tag.hex()}","time":"{time}Z","v":{VERSION}}}'
        ).encode()
        if len(encoded) > MAX_BODY:
            raise InvalidEntry(f"An entry has at most {MAX_BODY} bytes; got {len(encoded)}.")
        return encoded


def quoted(value: object) -> str:
    """A value without quotes in it as JSON text, or null."""
    return "null" if value is None else f'"{value}"'


def parse(body: bytes) -> Entry:
    """Read canonical bytes back. Raises InvalidEntry unless they are exactly what we would write."""
    try:
        fields = json.loads(body)
        entry = read_fields(fields)
    except InvalidEntry:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidEntry(f"{type(error).__name__}: {error}") from error
    if entry.canonical() != body:
        raise InvalidEntry("The bytes are not in canonical form.")
    return entry


def read_fields(fields: dict[str, Any]) -> Entry:
    """Build an entry from parsed JSON; whatever is odd is found by comparing the bytes afterwards."""
    if fields["v"] != VERSION:
        raise InvalidEntry(f"The version is {VERSION}; got {fields['v']!r}.")
    entry_id = UUID(fields["id"])
    if entry_id.version != 7:
        raise InvalidEntry(f"An entry's id is a UUID of version 7; got {entry_id}.")
    draft = Draft(
        action=Action(fields["action"]),
        actor=fields["actor"],
        outcome=Outcome(fields["outcome"]),
        reason=ReasonCode(fields["reason"]) if fields["reason"] is not None else None,
        purpose_id=UUID(fields["purpose"]) if fields["purpose"] is not None else None,
        subject_tag=bytes.fromhex(fields["subject"]),
        consent_tag=bytes.fromhex(fields["consent"]),
        object_tag=bytes.fromhex(fields["object"]),
        policy_version=fields["policy"],
        permit_id=UUID(fields["permit"]) if fields["permit"] is not None else None,
        detail=bytes.fromhex(fields["detail"]),
    )
    # Other spellings of a time are found by comparing the bytes, as everything odd is.
    return Entry(id=entry_id, time=datetime.fromisoformat(fields["time"]), draft=draft)
