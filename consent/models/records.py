"""Consent records: the events that only grow, and the one row per subject and purpose that flows lock."""

from __future__ import annotations

from typing import Self

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from consent.models.endings import ErasureRequest
from consent.models.people import DataSubject
from consent.models.purposes import Notice, Purpose


class ConsentStatus(models.TextChoices):
    """Where the consent of one subject to one purpose stands."""

    REQUESTED = "requested", _("Asked")
    GIVEN = "given", _("Given")
    REFUSED = "refused", _("Refused")
    WITHDRAWN = "withdrawn", _("Withdrawn")
    EXPIRED = "expired", _("Expired")
    CANCELLED = "cancelled", _("Question taken back")


class EventKind(models.TextChoices):
    """What can happen to a consent."""

    REQUESTED = "requested", _("asked for")
    NOTICE_SHOWN = "notice-shown", _("notice shown")
    GUARDIAN = "guardian", _("agreed to by a guardian")
    GIVEN = "given", _("given")
    RENEWED = "renewed", _("renewed")
    REAFFIRMED = "re-affirmed", _("confirmed again")
    NARROWED = "narrowed", _("narrowed to fewer data categories")
    RESTRICTED = "restricted", _("paused")
    RESUMED = "resumed", _("taken up again")
    REFUSED = "refused", _("refused")
    WITHDRAWN = "withdrawn", _("withdrawn")
    EXPIRED = "expired", _("expired")
    CANCELLED = "cancelled", _("question taken back")


class ConsentEvent(models.Model):
    """One event in the history of a consent. Rows are only ever added."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    subject = models.ForeignKey(DataSubject, models.PROTECT, related_name="consent_events")
    purpose = models.ForeignKey(Purpose, models.PROTECT, related_name="consent_events")
    sequence = models.PositiveIntegerField()
    kind = models.CharField(max_length=12, choices=EventKind)
    at = models.DateTimeField()
    by = models.CharField(max_length=64)
    method = models.CharField(max_length=40)
    categories = models.JSONField(default=list)
    notice = models.ForeignKey(Notice, models.PROTECT, null=True, related_name="+")
    notice_sha256 = models.CharField(max_length=64, blank=True)
    language = models.CharField(max_length=10, blank=True)
    valid_until = models.DateTimeField(null=True)

    class Meta:
        ordering = ["sequence"]
        constraints = [
            models.UniqueConstraint(
                fields=["subject", "purpose", "sequence"], name="one_event_per_sequence"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} at {self.at:%Y-%m-%d %H:%M}"


class PaperConsent(models.Model):
    """That somebody signed on paper: who attests it, and the scan, sealed under a key of its own.

    ``media_type`` and ``size`` (bytes) are the scan's. The row stays when the scan is erased, because who
    attested may never read what the consent opened.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    event = models.OneToOneField(ConsentEvent, models.PROTECT, related_name="paper")
    # Found by the index below, which begins with it.
    subject = models.ForeignKey(DataSubject, models.PROTECT, related_name="papers", db_index=False)
    attested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    signed_on = models.DateField()
    media_type = models.CharField(max_length=30)
    size = models.PositiveIntegerField()
    data_key_id = models.UUIDField()
    sealed = models.BinaryField(null=True)

    class Meta:
        indexes = [models.Index(fields=["subject", "attested_by"], name="papers_by_attester")]

    def __str__(self) -> str:
        return str(self.id)

    @property
    def is_erased(self) -> bool:
        """Whether the scan is gone."""
        return self.sealed is None


class ConsentStateQuerySet(models.QuerySet["ConsentState"]):
    """States by what is left of them."""

    def not_given_up(self) -> Self:
        """Those whose last change no erasure of everything has followed.

        Of whose part has ended for good none can be filed any more, nor is there anything left.
        """
        whole = ErasureRequest.objects.whole().filter(
            subject_id=models.OuterRef("subject_id"),
            purpose_id=models.OuterRef("purpose_id"),
            requested_at__gte=models.OuterRef("changed_at"),
        )
        return self.filter(~models.Exists(whole), tags_ended_at=None)


class ConsentState(models.Model):
    """What is so now for one subject and one purpose; rebuildable from the events.

    ``remind_at`` is when the person is to be asked before ``valid_until``, ``reminded_at`` when they were
    (``consent.ending_soon``). From ``tags_ended_at`` on nothing is written about this person in this
    purpose any more, because the key of their tags is destroyed (``consent.last_entries``).
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # Found by the unique constraint, which begins with it: an index of its own would only be in the way.
    subject = models.ForeignKey(
        DataSubject, models.PROTECT, related_name="consent_states", db_index=False
    )
    purpose = models.ForeignKey(Purpose, models.PROTECT, related_name="consent_states")
    status = models.CharField(max_length=10, choices=ConsentStatus)
    version = models.PositiveIntegerField(default=0)
    sequence = models.PositiveIntegerField(default=0)
    categories = models.JSONField(default=list)
    notice = models.ForeignKey(Notice, models.PROTECT, null=True, related_name="+")
    event = models.ForeignKey(ConsentEvent, models.PROTECT, null=True, related_name="+")
    valid_until = models.DateTimeField(null=True)
    remind_at = models.DateTimeField(null=True)
    reminded_at = models.DateTimeField(null=True)
    restricted_at = models.DateTimeField(null=True)
    changed_at = models.DateTimeField()
    tags_ended_at = models.DateTimeField(null=True)
    tags_destroyed_at = models.DateTimeField(null=True)

    objects = ConsentStateQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["subject", "purpose"], name="one_state_each")
        ]
        indexes = [
            models.Index(
                fields=["remind_at"],
                condition=models.Q(remind_at__isnull=False, reminded_at__isnull=True),
                name="states_to_remind",
            )
        ]

    def __str__(self) -> str:
        return f"{self.status} v{self.version}"
