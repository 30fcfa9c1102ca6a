"""The walk in: a photograph or a film streams from the request straight into a sealed blob.

Order matters: the idempotency key is reserved, then the gate is asked, then bytes flow; the gate is
asked again in the transaction that makes the recording, after the wait that receiving was.
"""

from __future__ import annotations

import hmac
import json
import logging
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

from django.db import DatabaseError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.actors import Actor
from audit_log.actions import Action, Outcome, ReasonCode
from audit_log.entries import Draft
from audit_log.log import append, append_durable
from consent.enforcement import ConsentPermit, asker_of, require_consent
from consent.errors import ConsentRefused
from consent.models import DataSubject, Purpose
from consent.purposes import share_locked
from consent.records import acting_name, lock_state
from consent.rules import Operation
from emotion.disputes import require_undisputed
from emotion.errors import IdempotencyConflict, UploadInvalid, UploadTooLarge
from emotion.inference.markers import read_markers
from emotion.models import Analysis, Recording, Upload, UploadState
from emotion.probing import MediaProbe, largest
from emotion.queue import enqueue_analysis
from emotion.reservations import forget_upload, key_index, reserve, still_coming, upload_owner
from emotion.sealed_media import blob_path, markers_row, media_row, media_unit
from vault.keyring import create_data_key
from vault.store import seal, seal_blob
from vault.tags import tagger

log = logging.getLogger(__name__)


def retention_dates(
    purpose: Purpose, now: datetime, valid_until: datetime | None
) -> tuple[datetime, datetime]:
    """Until when media and results may be kept: (media, results).

    Never longer than the consent of this moment lasts; one renewed later does not lengthen them.
    """
    if not purpose.media_retention_days or not purpose.result_retention_days or not valid_until:
        raise ConsentRefused(ReasonCode.RETENTION_NOT_SET)
    return (
        min(now + timedelta(days=purpose.media_retention_days), valid_until),
        min(now + timedelta(days=purpose.result_retention_days), valid_until),
    )


def known_markers(text: str) -> bytes:
    """Markers as they are kept; raises UploadInvalid for what is none."""
    if not text:
        return b""
    try:
        return json.dumps(read_markers(text).to_json(), sort_keys=True).encode()
    except ValueError as error:
        raise UploadInvalid(f"{error}; see the API's guide.") from None


class Receiving:
    """One upload being received: ``write`` chunks, ``finish``, and always ``close``."""

    def __init__(
        self,
        actor: Actor,
        subject: DataSubject,
        purpose_id: UUID,
        idempotency_key: str,
        markers: str = "",
    ) -> None:
        self.markers = known_markers(markers)
        self.actor = actor
        self.subject = subject
        self.purpose_id = purpose_id
        self.tags = tagger(subject.id, purpose_id)
        self.fingerprint = self.tags.fingerprint()
        self.fingerprint.update(self.markers)
        self.size = 0
        self.upload, self.replayed = reserve(actor, key_index(actor, purpose_id, idempotency_key))
        self.recording_id = self.upload.recording_id
        self.finished = False
        try:
            self.permit = self.ask_gate()
            self.kind = Purpose.objects.get(pk=purpose_id).kind
            if not self.replayed:
                self.open_blob()
        except BaseException:
            self.release()
            raise

    def ask_gate(self) -> ConsentPermit:
        """The first of the gate's two questions; a refusal is in the log before it is told."""
        try:
            require_undisputed(self.actor, self.subject.id, self.purpose_id)
            return require_consent(
                subject_id=self.subject.id,
                purpose_id=self.purpose_id,
                operation=Operation.UPLOAD,
                asker=asker_of(self.actor),
                action=Action.MEDIA_UPLOAD,
                object_kind="recording",
                object_id=self.recording_id,
            )
        except ConsentRefused as refusal:
            self.log_refusal(refusal)
            raise

    def log_refusal(self, refusal: ConsentRefused) -> None:
        """A refused upload is an entry of its own, durable before the answer."""
        append_durable(
            Draft(
                action=Action.MEDIA_UPLOAD,
                actor=acting_name(self.actor, self.tags),
                outcome=Outcome.REFUSED,
                reason=refusal.reason,
                purpose_id=self.purpose_id,
                subject_tag=self.tags.subject(),
                object_tag=self.tags.object("recording", self.recording_id),
            )
        )

    def open_blob(self) -> None:
        """Make the key (keystore first), note it on the row, open the sealed blob and the probe."""
        unit = media_unit(self.recording_id, self.subject.id, self.purpose_id)
        self.key_id = create_data_key(unit)
        Upload.objects.filter(pk=self.upload.pk).update(media_key_id=self.key_id)
        path = blob_path(self.key_id)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.blob = seal_blob(self.permit, self.key_id, unit, media_row(self.recording_id), path)
        self.probe = MediaProbe(self.kind)

    def write(self, chunk: bytes) -> None:
        """Take the next bytes: sealed, fingerprinted and shown to the probe, never kept in plain."""
        self.size += len(chunk)
        most = largest(self.kind)
        if self.size > most:
            raise UploadTooLarge(
                _("A file for this study may have at most %(most)s bytes; more came.")
                % {"most": most}
            )
        self.fingerprint.update(chunk)
        if not self.replayed:
            still_coming(self.upload)
            self.blob.write(chunk)
            self.probe.feed(chunk)

    def finish(self) -> Analysis:
        """Everything came: make recording and analysis, or find those of the first time."""
        digest = self.fingerprint.digest()
        if self.replayed:
            return self.replay(digest)
        media_type, width, height = self.probe.finish()
        if self.markers and not media_type.startswith("video/"):
            raise UploadInvalid("Markers come with a film; this is a photograph.")
        self.blob.commit()
        sealed_markers = self.sealed_markers() if self.markers else None
        now = timezone.now()
        try:
            with transaction.atomic():
                state = lock_state(self.subject.id, self.purpose_id)
                self.permit.recheck()
                require_undisputed(self.actor, self.subject.id, self.purpose_id)
                purpose = share_locked(self.purpose_id)
                media_until, results_until = retention_dates(purpose, now, state.valid_until)
                recording = Recording.objects.create(
                    id=self.recording_id,
                    subject=self.subject,
                    purpose_id=self.purpose_id,
                    uploaded_by="subject"
                    if self.actor.kind == "subject"
                    else upload_owner(self.actor),
                    media_type=media_type,
                    width=width,
                    height=height,
                    size=self.size,
                    sealed_markers=sealed_markers,
                    media_key_id=self.key_id,
                    keep_media=purpose.keep_media,
                    media_retain_until=media_until,
                    retain_until=results_until,
                    created_at=now,
                )
                analysis = Analysis.objects.create(
                    recording=recording, queued_at=now, not_before=now
                )
                stored = Upload.objects.filter(
                    pk=self.upload.pk, state=UploadState.RECEIVING
                ).update(state=UploadState.STORED, fingerprint=digest)
                if not stored:
                    raise UploadInvalid(
                        _("The upload took too long and was given up; send it again.")
                    )
                append(self.entry())
                transaction.on_commit(lambda: enqueue_analysis(analysis.id))
        except ConsentRefused as refusal:
            self.log_refusal(refusal)
            raise
        self.finished = True
        return analysis

    def sealed_markers(self) -> bytes:
        """What was shown when: in the sender's words, so it is sealed like the film itself."""
        unit = media_unit(self.recording_id, self.subject.id, self.purpose_id)
        return seal(self.permit, self.key_id, unit, markers_row(self.recording_id), self.markers)

    def entry(self) -> Draft:
        """The entry of an accepted upload."""
        return Draft(
            action=Action.MEDIA_UPLOAD,
            actor=acting_name(self.actor, self.tags),
            purpose_id=self.purpose_id,
            subject_tag=self.permit.subject_tag,
            consent_tag=self.permit.consent_tag,
            object_tag=self.permit.object_tag,
            policy_version=self.permit.policy_version,
            permit_id=self.permit.permit_id,
        )

    def replay(self, digest: bytes) -> Analysis:
        """The same key again: the same body finds its row (the gate was asked), another is refused."""
        self.finished = True
        if not hmac.compare_digest(bytes(self.upload.fingerprint or b""), digest):
            raise IdempotencyConflict(
                _(
                    "This Idempotency-Key was used with another body; "
                    "use a new key for a new upload."
                )
            )
        self.permit.recheck()
        return Analysis.objects.select_related("recording").get(recording_id=self.recording_id)

    def release(self) -> None:
        """Undo what an upload that did not finish has left: blob, key and reservation."""
        if self.finished or self.replayed:
            return
        for part in ("probe", "blob"):
            if hasattr(self, part):
                with suppress(OSError):
                    getattr(self, part).close() if part == "probe" else self.blob.abort()
        try:
            forget_upload(self.upload)
        except DatabaseError:
            log.warning("an unfinished upload could not be cleared; the keeper will do it")

    def close(self) -> None:
        """Always called at the end: an upload that did not finish leaves nothing behind."""
        if hasattr(self, "probe"):
            self.probe.close()
        self.release()
