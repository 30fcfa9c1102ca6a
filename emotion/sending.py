"""Who sends what about whom: what the gate and the log are told about one upload, at each of its steps."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from uuid import UUID

from accounts.actors import Actor
from accounts.errors import ClientEnded
from accounts.live_clients import hold_live
from accounts.models import Scope
from audit_log.actions import Action, Outcome, ReasonCode
from audit_log.entries import Draft
from audit_log.log import append_durable
from consent.enforcement import ConsentPermit, asker_of, require_consent
from consent.errors import ConsentRefused
from consent.models import DataSubject
from consent.records import acting_name
from consent.rules import Operation
from emotion.disputes import require_undisputed
from vault.tags import Tagger, tagger


@dataclass(frozen=True)
class Sending:
    """One upload as gate and log know it; ``recording_id`` of the recording that it is to become."""

    actor: Actor
    subject: DataSubject
    purpose_id: UUID
    recording_id: UUID

    @cached_property
    def tags(self) -> Tagger:
        """What makes the person's tags in this purpose."""
        return tagger(self.subject.id, self.purpose_id)

    def beginning(self, length: int, markers: bytes) -> bytes:
        """A keyed hash of what is said before the first byte, by which a repetition is known."""
        said = self.tags.fingerprint()
        said.update(b"%d:" % length + markers)
        return said.digest()

    def fingerprint(self, markers: bytes) -> hmac.HMAC:
        """A keyed hash to feed all bytes of the file to."""
        whole = self.tags.fingerprint()
        whole.update(markers)
        return whole

    def ask(self, action: Action = Action.MEDIA_UPLOAD) -> ConsentPermit:
        """Ask the gate, before anything is taken; a refusal is in the log before it is told."""
        with self.refusals_noted(action):
            require_undisputed(self.actor, self.subject.id, self.purpose_id)
            return require_consent(
                subject_id=self.subject.id,
                purpose_id=self.purpose_id,
                operation=Operation.UPLOAD,
                asker=asker_of(self.actor),
                action=action,
                object_kind="recording",
                object_id=self.recording_id,
            )

    def require_live(self) -> None:
        """Raise ClientEnded for a program that was taken back since it began; inside a transaction."""
        hold_live(self.actor, Scope.RECORDINGS_UPLOAD)

    @contextmanager
    def refusals_noted(self, action: Action) -> Iterator[None]:
        """A refusal in this block is an entry of its own, durable before the answer."""
        try:
            yield
        except (ConsentRefused, ClientEnded) as refusal:
            receipt = append_durable(
                Draft(
                    action=action,
                    actor=self.name(),
                    outcome=Outcome.REFUSED,
                    reason=getattr(refusal, "reason", ReasonCode.NOT_PERMITTED),
                    purpose_id=self.purpose_id,
                    subject_tag=self.tags.subject(),
                    object_tag=self.tags.object("recording", self.recording_id),
                )
            )
            if isinstance(refusal, ConsentRefused):
                refusal.log_entry = receipt.entry_id
            raise

    def name(self) -> str:
        """The sender as an entry names them."""
        return acting_name(self.actor, self.tags)

    def entry(self, permit: ConsentPermit) -> Draft:
        """The entry of what the permit allowed."""
        return permit.signed(
            Draft(
                action=permit.action,
                actor=self.name(),
                purpose_id=self.purpose_id,
                subject_tag=permit.subject_tag,
                object_tag=permit.object_tag,
            )
        )
