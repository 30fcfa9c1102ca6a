"""How things end: legal holds, and erasures on their way."""

from __future__ import annotations

from typing import Any, Self

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from consent.models.people import DataSubject
from consent.models.purposes import Purpose


class HoldReason(models.TextChoices):
    """Why something that is due must be kept for a while; the codes are those of the access log."""

    LEGAL_CLAIM = "legal-claim", _("A legal claim was made or is expected")
    AUTHORITY_REQUEST = "authority-request", _("A court or an authority has asked for it")
    INCIDENT = "incident-investigation", _("An incident is being investigated")
    COMPLAINT = "complaint", _("A complaint is being looked into")


class LegalHoldQuerySet(models.QuerySet["LegalHold"]):
    """Holds by whether they stand and what they cover."""

    def standing(self) -> Self:
        """Neither lifted nor ended; a date alone ends none before the keeper has written it down."""
        return self.filter(over_at=None)

    def covering(self, subject_id: Any, purpose_id: Any) -> Self:
        """Those over everybody in the purpose, or over this person in it."""
        return self.filter(
            models.Q(subject_id=None) | models.Q(subject_id=subject_id), purpose_id=purpose_id
        )


class LegalHold(models.Model):
    """Postpones the destruction of what a purpose, or one person in it, has; permits nothing.

    There is no free text on purpose: whatever the matter is about would name people. ``over_at`` is when
    it ended, and ``lifted_by`` who lifted it before its date.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    purpose = models.ForeignKey(Purpose, models.PROTECT, related_name="holds")
    subject = models.ForeignKey(DataSubject, models.PROTECT, null=True, related_name="holds")
    reason = models.CharField(max_length=24, choices=HoldReason)
    placed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    placed_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    over_at = models.DateTimeField(null=True)
    lifted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )
    entry_ids = models.JSONField(default=list)

    objects = LegalHoldQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(ends_at__gt=models.F("placed_at")), name="hold_has_an_end"
            )
        ]
        indexes = [
            models.Index(
                fields=["purpose", "subject"],
                condition=models.Q(over_at__isnull=True),
                name="holds_standing",
            )
        ]

    def __str__(self) -> str:
        return f"{self.reason} until {self.ends_at:%Y-%m-%d}"


class ErasureCause(models.TextChoices):
    """Why something is erased."""

    WITHDRAWAL = "withdrawal", _("Consent withdrawn")
    RETENTION = "retention", _("Retention period over")
    NOT_KEPT = "media-not-kept", _("Photographs are not kept after analysis")
    COVERED = "media-covered", _("Only the head is kept of a photograph")
    DISPUTE = "dispute", _("The recording does not show this person")
    DISCARDED = "discarded", _("The study's staff discarded the recording")
    NARROWED = "narrowed", _("A data category is no longer consented to")
    PURPOSE_END = "purpose-end", _("The study has ended")
    UNUSED = "unused", _("Three years without a visit")
    ACCOUNT = "account-closed", _("The account is closed")


class ErasureQuerySet(models.QuerySet["ErasureRequest"]):
    """Erasures by what they reach."""

    def whole(self) -> Self:
        """Those of everything that a person has in a purpose."""
        return self.filter(recording_id=None, category="", purpose__isnull=False)

    def of_account(self) -> Self:
        """Those of contact data and messages."""
        return self.filter(purpose=None)

    def held(self) -> Self:
        """Those that a legal hold keeps from beginning."""
        return self.filter(is_held(), begun_at=None)

    def waiting(self) -> Self:
        """Those that can go on now: not done, and begun or not held."""
        return self.filter(~is_held() | models.Q(begun_at__isnull=False), rows_removed_at=None)


def is_held() -> models.Q:
    """Whether a standing hold covers an erasure.

    An account's erasure waits for those of every purpose of the person's: without an address it could not
    be said whose the evidence is.
    """
    subject, standing = models.OuterRef("subject_id"), LegalHold.objects.standing()
    here = standing.covering(subject, models.OuterRef("purpose_id"))
    return models.Q(models.Exists(here)) | models.Q(is_person_held(), purpose=None)


def is_person_held(person: str = "subject_id") -> models.Q:
    """Whether a standing hold covers the person of a row (by its ``person``) in any of their purposes."""
    subject = models.OuterRef(person)
    everybody = models.Q(subject_id=None, purpose__consent_states__subject_id=subject)
    anywhere = LegalHold.objects.standing().filter(everybody | models.Q(subject_id=subject))
    return models.Q(models.Exists(anywhere))


class ErasureRequest(models.Model):
    """An erasure on its way: keys first, then blobs and rows, then the epoch that wrapped the keys.

    Without a purpose it is the account's: contact data and messages. From ``begun_at`` on no legal hold
    stops it any more: half destroyed is no evidence.

    Fields:
        only_key: the one data key that goes, where what replaced it stays; else all that the erasure
            reaches go.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    subject = models.ForeignKey(DataSubject, models.PROTECT, related_name="erasures")
    purpose = models.ForeignKey(Purpose, models.PROTECT, null=True, related_name="erasures")
    cause = models.CharField(max_length=14, choices=ErasureCause)
    recording_id = models.UUIDField(null=True)
    category = models.CharField(max_length=20, blank=True)
    only_key = models.UUIDField(null=True)
    requested_at = models.DateTimeField()
    begun_at = models.DateTimeField(null=True)
    keys_destroyed_at = models.DateTimeField(null=True)
    key_ids = models.JSONField(default=list)
    rows_removed_at = models.DateTimeField(null=True)
    final_at = models.DateTimeField(null=True)
    receipt_taken_at = models.DateTimeField(null=True)
    entry_ids = models.JSONField(default=list)

    objects = ErasureQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(
                fields=["requested_at"],
                condition=models.Q(final_at__isnull=True),
                name="erasures_under_way",
            )
        ]

    def __str__(self) -> str:
        return f"{self.cause} at {self.requested_at:%Y-%m-%d %H:%M}"
