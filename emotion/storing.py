"""What arrives becomes a recording: sealed while it comes, probed, and asked about once more at the end.

Where the bytes come from is not known here: from a request (``emotion.uploads``), or from the sealed parts
of an upload that came in several (``emotion.assembling``).
"""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from audit_log.actions import Action, ReasonCode
from audit_log.log import append
from consent.errors import ConsentRefused
from consent.models import Purpose
from consent.purposes import share_locked
from consent.records import lock_state
from emotion.disputes import require_undisputed
from emotion.errors import UploadInvalid, UploadTooLarge
from emotion.inference.markers import read_markers
from emotion.limits import require_few_of_one
from emotion.models import Analysis, Recording, Upload, UploadState
from emotion.probing import MediaProbe, largest
from emotion.queue import enqueue_analysis
from emotion.reservations import upload_owner
from emotion.sealed_media import blob_path, markers_row, media_row, media_unit
from emotion.sending import Sending
from vault.keyring import create_data_key, keys_kept_if_filed
from vault.store import seal, seal_blob


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


class Storing:
    """Bytes on their way into a recording: ``open_blob``, ``write`` what comes, then ``store``."""

    def __init__(self, sending: Sending, upload: Upload, markers: bytes) -> None:
        self.sending = sending
        self.upload = upload
        self.markers = markers
        self.fingerprint = sending.fingerprint(markers)
        self.size = 0
        self.permit = sending.ask()
        self.kind = Purpose.objects.get(pk=sending.purpose_id).kind
        self.unit = media_unit(sending.recording_id, sending.subject.id, sending.purpose_id)

    def rows(self) -> QuerySet[Upload]:
        """The upload's row, as long as it is for this request to change; else none."""
        return Upload.objects.filter(pk=self.upload.pk, state=UploadState.RECEIVING)

    def over(self) -> Exception:
        """What is told when it is not any more."""
        return UploadInvalid(_("The upload took too long and was given up; send it again."))

    def open_blob(self) -> None:
        """Make the key (keystore first), note it on the row, open the sealed blob and the probe."""
        self.key_id = create_data_key(self.unit)
        with keys_kept_if_filed(self.key_id):
            if not self.rows().update(media_key_id=self.key_id):
                raise self.over()
        path = blob_path(self.key_id)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        row = media_row(self.sending.recording_id)
        self.blob = seal_blob(self.permit, self.key_id, self.unit, row, path)
        self.probe = MediaProbe(self.kind)

    def count(self, chunk: bytes) -> None:
        """Count and fingerprint the next bytes. Raises UploadTooLarge."""
        self.size += len(chunk)
        require_size(self.size, largest(self.kind))
        self.fingerprint.update(chunk)

    def write(self, chunk: bytes) -> None:
        """Take the next bytes: sealed, fingerprinted and shown to the probe, never kept in plain."""
        self.count(chunk)
        self.blob.write(chunk)
        self.probe.feed(chunk)

    def store(self) -> Analysis:
        """Everything came: make recording and analysis, behind the gate."""
        media_type, width, height = self.probe.finish()
        if self.markers and not media_type.startswith("video/"):
            raise UploadInvalid("Markers come with a film; this is a photograph.")
        self.blob.commit()
        sealed_markers = self.sealed_markers() if self.markers else None
        actor, subject, purpose_id = (
            self.sending.actor,
            self.sending.subject,
            self.sending.purpose_id,
        )
        now = timezone.now()
        with self.sending.refusals_noted(Action.MEDIA_UPLOAD), transaction.atomic():
            state = lock_state(subject.id, purpose_id)
            self.sending.require_live()
            self.permit.recheck()
            require_undisputed(actor, subject.id, purpose_id)
            require_few_of_one(subject.id, purpose_id)
            purpose = share_locked(purpose_id)
            media_until, results_until = retention_dates(purpose, now, state.valid_until)
            recording = Recording.objects.create(
                id=self.sending.recording_id,
                subject=subject,
                purpose_id=purpose_id,
                uploaded_by="subject" if actor.kind == "subject" else upload_owner(actor),
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
            analysis = Analysis.objects.create(recording=recording, queued_at=now, not_before=now)
            self.mark_stored()
            append(self.sending.entry(self.permit))
            transaction.on_commit(lambda: enqueue_analysis(analysis.id))
        return analysis

    def mark_stored(self) -> None:
        """Inside the transaction: the upload's row says so. Raises what ``over`` gives."""
        stored = self.rows().update(
            state=UploadState.STORED,
            beginning=self.sending.beginning(self.size, self.markers),
            fingerprint=self.fingerprint.digest(),
            holder=None,
        )
        if not stored:
            raise self.over()

    def sealed_markers(self) -> bytes:
        """What was shown when: in the sender's words, so it is sealed like the film itself."""
        row = markers_row(self.sending.recording_id)
        return seal(self.permit, self.key_id, self.unit, row, self.markers)

    def put_down(self) -> None:
        """End the probe, and the blob if it is unfinished; safe to repeat."""
        if hasattr(self, "probe"):
            self.probe.close()
        if hasattr(self, "blob"):
            with suppress(OSError):
                self.blob.abort()


def require_size(size: int, most: int) -> None:
    """Raise UploadTooLarge for more bytes than a study's files may have."""
    if size > most:
        raise UploadTooLarge(
            _("A file for this study may have at most %(most)s bytes; more came.") % {"most": most}
        )
