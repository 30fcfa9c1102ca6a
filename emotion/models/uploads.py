"""What is on its way in: a reserved key each, and of an upload in parts what has come so far."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from consent.models import DataSubject, Purpose


class UploadState(models.TextChoices):
    """An upload on its way in."""

    RECEIVING = "receiving", _("Receiving")
    PARTIAL = "partial", _("Arriving in parts")
    STORED = "stored", _("Stored")
    ABANDONED = "abandoned", _("Abandoned")


class Upload(models.Model):
    """Reserves an idempotency key, and finds orphans: what was begun and never became a recording.

    ``key_index`` stands for the key: a keyed hash, because a client's own key may name a person.
    ``heard_at``: when its sender was last heard; a film may take long to come. ``beginning`` and
    ``fingerprint`` are keyed hashes of what the key was used for, of what was said first and of all bytes.

    Of an upload in parts ``holder`` is the request that is sending just now, and ``parts_key_id`` the key
    of the parts until it is destroyed.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    actor = models.CharField(max_length=64)
    key_index = models.BinaryField(max_length=32)
    state = models.CharField(max_length=10, choices=UploadState, default=UploadState.RECEIVING)
    recording_id = models.UUIDField(default=uuid7, unique=True)
    media_key_id = models.UUIDField(null=True)
    parts_key_id = models.UUIDField(null=True)
    beginning = models.BinaryField(max_length=32, null=True)
    fingerprint = models.BinaryField(max_length=32, null=True)
    heard_at = models.DateTimeField()
    holder = models.UUIDField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["actor", "key_index"], name="one_upload_per_key"),
            models.CheckConstraint(
                condition=~Q(state="partial") | Q(parts_key_id__isnull=False),
                name="partial_uploads_have_a_key",
            ),
        ]
        indexes = [
            models.Index(
                fields=["state"],
                condition=~Q(state="stored") | Q(parts_key_id__isnull=False),
                name="uploads_under_way",
            )
        ]

    def __str__(self) -> str:
        return f"{self.state} {self.id}"


class PartialUpload(models.Model):
    """An upload that comes in parts, and may be taken up again where it broke off.

    It is there while bytes are missing. With the last of them the recording is made and this row goes.
    """

    upload = models.OneToOneField(Upload, models.CASCADE, primary_key=True, related_name="partial")
    subject = models.ForeignKey(DataSubject, models.PROTECT, related_name="partial_uploads")
    purpose = models.ForeignKey(Purpose, models.PROTECT, related_name="partial_uploads")
    length = models.PositiveBigIntegerField()
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return str(self.upload_id)

    @property
    def offset(self) -> int:
        """How many bytes are sealed and durable."""
        parts = self.parts.exclude(number=UploadPart.MARKERS)
        return parts.aggregate(size=models.Sum("size"))["size"] or 0


class UploadPart(models.Model):
    """One sealed file of what has come, under the key of its upload.

    number: their order from 1 on; 0 are the markers. ``size``: of the plaintext, in bytes.
    """

    MARKERS = 0

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    upload = models.ForeignKey(PartialUpload, models.CASCADE, related_name="parts")
    number = models.PositiveIntegerField()
    size = models.PositiveBigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["upload", "number"], name="one_part_per_number")
        ]

    def __str__(self) -> str:
        return f"{self.number} of {self.upload_id}"
