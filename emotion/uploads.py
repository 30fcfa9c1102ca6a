"""The walk in: a photograph or a film streams from the request straight into a sealed blob.

Order matters: the idempotency key is reserved, then the gate is asked, then bytes flow; the gate is
asked again in the transaction that makes the recording, after the wait that receiving was.
"""

from __future__ import annotations

import hmac
import logging
from uuid import UUID

from django.db import DatabaseError
from django.utils.translation import gettext as _

from accounts.actors import Actor
from consent.errors import IdempotencyMismatch
from consent.models import DataSubject
from emotion.limits import admit, forget
from emotion.models import Analysis
from emotion.reservations import forget_upload, key_index, reserve, still_coming
from emotion.sending import Sending
from emotion.storing import Storing, known_markers

log = logging.getLogger(__name__)


class Receiving(Storing):
    """One upload being received: ``write`` chunks, ``finish``, and always ``close``."""

    def __init__(
        self,
        actor: Actor,
        subject: DataSubject,
        purpose_id: UUID,
        idempotency_key: str,
        markers: str = "",
    ) -> None:
        known = known_markers(markers)
        self.upload, self.replayed = reserve(actor, key_index(actor, purpose_id, idempotency_key))
        self.finished = self.admitted = False
        sending = Sending(actor, subject, purpose_id, self.upload.recording_id)
        try:
            super().__init__(sending, self.upload, known)
            if not self.replayed:
                self.begin()
        except BaseException:
            self.release()
            raise

    def begin(self) -> None:
        """Of a new upload: see that it is not one too many, then make ready to take its bytes."""
        sending = self.sending
        admit(sending.actor, sending.subject.id, sending.purpose_id)
        self.admitted = True
        self.open_blob()

    def write(self, chunk: bytes) -> None:
        """Take the next bytes; of a replay they are only compared."""
        if self.replayed:
            self.count(chunk)
            return
        still_coming(self.upload)
        super().write(chunk)

    def finish(self) -> Analysis:
        """Everything came: make recording and analysis, or find those of the first time."""
        if self.replayed:
            return self.replay(self.fingerprint.digest())
        analysis = self.store()
        self.finished = True
        return analysis

    def replay(self, digest: bytes) -> Analysis:
        """The same key again: the same body finds its row (the gate was asked), another is refused."""
        self.finished = True
        if not hmac.compare_digest(bytes(self.upload.fingerprint or b""), digest):
            raise IdempotencyMismatch(
                _(
                    "This Idempotency-Key was used with another body; "
                    "use a new key for a new upload."
                )
            )
        self.permit.recheck()
        known = Analysis.objects.select_related("recording")
        return known.filter(recording_id=self.upload.recording_id).earliest("queued_at")

    def release(self) -> None:
        """Undo what an upload that did not finish has left: blob, key and reservation."""
        if self.finished or self.replayed:
            return
        if self.admitted:
            self.admitted = False
            forget(self.sending.actor)
        self.put_down()
        try:
            forget_upload(self.upload)
        except DatabaseError:
            log.warning("an unfinished upload could not be cleared; the keeper will do it")

    def close(self) -> None:
        """Always called at the end: an upload that did not finish leaves nothing behind."""
        if hasattr(self, "probe"):
            self.probe.close()
        self.release()
