"""Data subjects, and what is sealed about them: addresses, references, messages and the ways in."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from uuid_utils.compat import uuid7

from consent.models.purposes import Purpose


class DataSubject(models.Model):
    """A person whose face may be recorded. The row itself says nothing about who they are.

    Of a closed account nothing else is left: ``receipts_sha256`` is the hash of the link under which the
    receipts of its erasures can be had for a while, ``tags_ended_at`` when the last entry was written.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="data_subject"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(null=True)
    receipts_sha256 = models.BinaryField(max_length=32, null=True, unique=True)
    tags_ended_at = models.DateTimeField(null=True)
    tags_destroyed_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return str(self.id)


class Contact(models.Model):
    """A subject's e-mail address and name, sealed under their account key; found by keyed index.

    ``confirmed_at``: when somebody first came in by a letter to it that nobody else was shown.
    ``filed_by``: how the log names whoever gave it.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    subject = models.OneToOneField(DataSubject, models.PROTECT, related_name="contact")
    data_key_id = models.UUIDField()
    sealed = models.BinaryField()
    email_index = models.BinaryField(max_length=32, unique=True)
    confirmed_at = models.DateTimeField(null=True)
    filed_by = models.CharField(max_length=64)

    def __str__(self) -> str:
        return str(self.id)


class SubjectReference(models.Model):
    """What a study calls a subject (a participant number): sealed, found by an index per purpose.

    The index outlives the sealed value, so that a study that asks for a withdrawn person gets a
    refusal instead of a stranger.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    subject = models.ForeignKey(DataSubject, models.PROTECT, related_name="references")
    purpose = models.ForeignKey(Purpose, models.PROTECT, related_name="+")
    data_key_id = models.UUIDField()
    sealed = models.BinaryField()
    index = models.BinaryField(max_length=32)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["purpose", "index"], name="one_subject_per_reference"),
            models.UniqueConstraint(fields=["purpose", "subject"], name="one_reference_each"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class Invitation(models.Model):
    """A one-time link by which a subject comes in; only the hash of its token is kept."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    subject = models.ForeignKey(DataSubject, models.PROTECT, related_name="invitations")
    purpose = models.ForeignKey(Purpose, models.PROTECT, related_name="invitations")
    token_sha256 = models.BinaryField(max_length=32, unique=True)
    shown_to_operator = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    redeemed_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return str(self.id)


class RequestKey(models.Model):
    """An Idempotency-Key of a client's request, for a day; it and the request only as keyed hashes.

    ``made``: the opaque id of what was made; None while the request is under way.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    key_index = models.BinaryField(max_length=32, unique=True)
    words_index = models.BinaryField(max_length=32)
    created_at = models.DateTimeField(db_index=True)
    made = models.UUIDField(null=True)

    def __str__(self) -> str:
        return str(self.id)


class OutboxMessage(models.Model):
    """A message to a data subject, sealed: the address and the one-time link are nobody else's.

    next_attempt_at: when a mail server is asked to take it; None once it left or was given up.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    subject = models.ForeignKey(DataSubject, models.PROTECT, related_name="messages")
    purpose = models.ForeignKey(Purpose, models.PROTECT, null=True, related_name="+")
    kind = models.CharField(max_length=20)
    data_key_id = models.UUIDField()
    sealed = models.BinaryField()
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=60, blank=True)

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


class SignInCode(models.Model):
    """A six-digit code sent to a subject's address: kept as a keyed hash, ten minutes, five tries."""

    subject = models.OneToOneField(DataSubject, models.CASCADE, related_name="sign_in_code")
    code_hash = models.BinaryField(max_length=32)
    expires_at = models.DateTimeField()
    tries = models.PositiveSmallIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.subject_id)
