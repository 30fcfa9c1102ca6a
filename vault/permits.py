"""What the vault asks of whoever wants something sealed or opened: a live permit.

The interface stands here, at the bottom, so that the vault needs to know no rule about consent.
Only ``consent.enforcement`` implements it, and import-linter holds that nothing else does. It
stops mistakes, not hostile code inside the process.
"""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from audit_log.actions import Action


class Permit(Protocol):
    """One allowed operation on one object of one data subject for one purpose."""

    @property
    def permit_id(self) -> UUID:
        """Names this permit in the log entry that goes with it."""

    @property
    def subject_id(self) -> UUID:
        """The data subject whose data it is about."""

    @property
    def purpose_id(self) -> UUID | None:
        """The purpose, or None for contact data under the account key."""

    @property
    def subject_tag(self) -> bytes:
        """The subject's tag in the log for this purpose, 32 bytes."""

    @property
    def object_tag(self) -> bytes:
        """The tag of the recording, analysis or contact record, 32 bytes."""

    @property
    def action(self) -> Action:
        """The one action that is permitted."""

    @property
    def consent_version(self) -> int:
        """The version of the consent that it rests on, 0 for none: a change voids remembered keys."""

    def recheck(self) -> None:
        """Ask the gate again, by a fresh read; raises the refusal when it no longer allows."""
