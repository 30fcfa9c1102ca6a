"""The keystore: wrapped keys and the epochs they are wrapped under. Nothing else lives here.

A destroyed key leaves a tombstone: its row stays, without the wrapped bytes, and is never filled
again.
"""

from __future__ import annotations

from uuid import UUID

from django.db import models
from django.db.models import Q
from django.utils import timezone
from uuid_utils.compat import uuid7

from vault.units import Unit


class EpochState(models.TextChoices):
    """The life of an epoch, in this order."""

    OPENING = "opening", "opening"  # the row exists, the key perhaps not yet
    CURRENT = "current", "current"  # new keys are wrapped under it
    CLOSED = "closed", "closed"  # its keys are being wrapped under the next one
    DESTROYING = "destroying", "destroying"  # nothing is wrapped under it any more
    DESTROYED = "destroyed", "destroyed"  # its key is gone with the provider


class Epoch(models.Model):
    """One key-encryption key. The key itself exists only with the provider.

    Fields:
        proof: a known text wrapped under the epoch's key, to tell the right key from a wrong one.
        opened_entry, destroyed_entry: the log entries that tell of it; None while unwritten.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    state = models.CharField(max_length=10, choices=EpochState, default=EpochState.OPENING)
    proof = models.BinaryField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    opened_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    destroyed_at = models.DateTimeField(null=True)
    opened_entry = models.UUIDField(null=True)
    destroyed_entry = models.UUIDField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["state"], condition=Q(state="current"), name="vault_one_current_epoch"
            ),
            models.UniqueConstraint(
                fields=["state"], condition=Q(state="opening"), name="vault_one_opening_epoch"
            ),
            models.CheckConstraint(
                condition=Q(state="destroyed", destroyed_at__isnull=False)
                | (~Q(state="destroyed") & Q(destroyed_at=None)),
                name="vault_epoch_destroyed_at",
            ),
            models.CheckConstraint(
                condition=Q(state="opening") | Q(proof__isnull=False), name="vault_epoch_proof"
            ),
        ]

    def __str__(self) -> str:
        return f"epoch {self.id} ({self.state})"


class WrappedKey(models.Model):
    """A key wrapped under an epoch; once destroyed, a tombstone that names its last epoch."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # Found by two partial indexes: a rotation asks for the living, and whether one is due for the dead.
    epoch = models.ForeignKey(Epoch, on_delete=models.PROTECT, related_name="+", db_index=False)
    wrapped = models.BinaryField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    destroyed_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=Q(wrapped__isnull=False, destroyed_at=None)
                | Q(wrapped=None, destroyed_at__isnull=False),
                name="vault_%(class)s_tombstone",
            )
        ]
        indexes = [
            models.Index(
                fields=["epoch"], condition=Q(destroyed_at=None), name="vault_%(class)s_living"
            ),
            models.Index(
                fields=["epoch"],
                condition=Q(destroyed_at__isnull=False),
                name="vault_%(class)s_dead",
            ),
        ]

    def __str__(self) -> str:
        return f"{self._meta.model_name} {self.id}"

    def binding(self) -> list[bytes]:
        """What the wrapped key is bound to besides its epoch: kind, id, and whose it is."""
        raise NotImplementedError


def optional(value: UUID | None) -> bytes:
    """The 16 bytes of an id; no bytes for none."""
    return b"" if value is None else value.bytes


class DataKey(WrappedKey):
    """The key of one erasure unit."""

    subject_id = models.UUIDField()
    purpose_id = models.UUIDField(null=True)
    category = models.CharField(max_length=40)
    recording_id = models.UUIDField(null=True)

    class Meta(WrappedKey.Meta):
        indexes = [
            *WrappedKey.Meta.indexes,
            models.Index(fields=["subject_id", "purpose_id"], name="vault_datakey_unit"),
            models.Index(fields=["recording_id"], name="vault_datakey_recording"),
        ]

    @property
    def unit(self) -> Unit:
        """The erasure unit that the key belongs to."""
        return Unit(
            subject_id=self.subject_id,
            purpose_id=self.purpose_id,
            category=self.category,
            recording_id=self.recording_id,
        )

    def binding(self) -> list[bytes]:
        """Kind, id and unit."""
        return [
            b"data",
            self.id.bytes,
            self.subject_id.bytes,
            optional(self.purpose_id),
            self.category.encode(),
            optional(self.recording_id),
        ]


class TagKey(WrappedKey):
    """The key of the tags by which the log names one data subject in one purpose."""

    subject_id = models.UUIDField()
    purpose_id = models.UUIDField(null=True)

    class Meta(WrappedKey.Meta):
        constraints = [
            *WrappedKey.Meta.constraints,
            models.UniqueConstraint(
                fields=["subject_id", "purpose_id"], name="vault_tagkey_purpose"
            ),
            models.UniqueConstraint(
                fields=["subject_id"], condition=Q(purpose_id=None), name="vault_tagkey_account"
            ),
        ]

    def binding(self) -> list[bytes]:
        """Kind, id, subject and purpose."""
        return [b"tag", self.id.bytes, self.subject_id.bytes, optional(self.purpose_id)]


class ServiceUse(models.TextChoices):
    """What an installation's own keys are for."""

    INDEX = "index", "index"
    CREDENTIAL = "credential", "credential"


class ServiceKey(WrappedKey):
    """A key of no person: look-up indexes (one per purpose) and operators' credentials."""

    use = models.CharField(max_length=10, choices=ServiceUse)
    purpose_id = models.UUIDField(null=True)

    class Meta(WrappedKey.Meta):
        constraints = [
            *WrappedKey.Meta.constraints,
            models.UniqueConstraint(fields=["use", "purpose_id"], name="vault_servicekey_purpose"),
            models.UniqueConstraint(
                fields=["use"], condition=Q(purpose_id=None), name="vault_servicekey_general"
            ),
        ]

    def binding(self) -> list[bytes]:
        """Kind, id, use and purpose."""
        return [b"service", self.id.bytes, self.use.encode(), optional(self.purpose_id)]


KEY_MODELS: tuple[type[WrappedKey], ...] = (DataKey, TagKey, ServiceKey)
"""Every kind of wrapped key; a rotation goes through all of them."""
