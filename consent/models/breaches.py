"""Personal-data breaches (GDPR Art. 33 and 34): the record, its clock, and the people concerned."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from consent.models.people import DataSubject
from consent.models.purposes import Purpose

NOTIFY_WITHIN = timedelta(hours=72)
"""How long after a breach was noticed the authority is told (Art. 33(1))."""


class BreachKind(models.TextChoices):
    """What a breach did to data."""

    CONFIDENTIALITY = "confidentiality", _("Somebody saw data who must not see them")
    INTEGRITY = "integrity", _("Data were changed")
    AVAILABILITY = "availability", _("Data were lost or out of reach")


class BreachState(models.TextChoices):
    """The life of a breach record; each step is one forward."""

    OPEN = "open", _("Open")
    NOTIFIED = "notified", _("The authority is dealt with")
    TOLD = "told", _("The people are dealt with")
    CLOSED = "closed", _("Closed")


class LateReason(models.TextChoices):
    """Why the authority was told after 72 hours; the codes are those of the access log."""

    EXTENT_UNKNOWN = "extent-unknown", _("Its extent was not known in time")
    RECOGNISED_LATE = "recognised-late", _("It was recognised as a breach too late")
    AUTHORITY_AWAY = "authority-out-of-reach", _("The authority could not be reached")


class NotNotified(models.TextChoices):
    """Why the authority need not be told (Art. 33(1)); the codes are those of the access log."""

    RISK_UNLIKELY = "risk-unlikely", _("A risk to people is unlikely")


class NotTold(models.TextChoices):
    """Why people need not be told one by one (Art. 34(1), (3)); the codes are those of the log."""

    RISK_NOT_HIGH = "risk-not-high", _("The risk to them is not high")
    DATA_SEALED = "data-sealed", _("What was taken cannot be read without keys that are safe")
    RISK_AVERTED = "risk-averted", _("What was done since makes a high risk unlikely")
    PUBLIC_NOTICE = "public-notice", _("They are told in public, because each could not be reached")


class BreachQuerySet(models.QuerySet["Breach"]):
    """Records by what is left to do."""

    def kept(self) -> BreachQuerySet:
        """Those whose erasure has not begun."""
        return self.filter(erased_at=None)

    def unfinished(self) -> BreachQuerySet:
        """Those that are not closed."""
        return self.exclude(state=BreachState.CLOSED)


class Breach(models.Model):
    """One breach. What happened is sealed under a key of the record's own: words about it name people.

    Fields:
        begins_at, ends_at, purpose (None: every one), actor (a log name, or empty for anybody): which
            entries of the access log tell whom it concerns.
        everybody: whoever the purpose ever asked, because somebody went around the program and its log.
        unlinked: how many tags in those entries belong to nobody any more.
        erased_at: its end has begun; from then on nobody opens it and no legal hold stops it.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    recorded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    recorded_at = models.DateTimeField()
    noticed_at = models.DateTimeField()
    kinds = models.JSONField(default=list)
    begins_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    purpose = models.ForeignKey(Purpose, models.PROTECT, null=True, related_name="breaches")
    actor = models.CharField(max_length=80, blank=True)
    everybody = models.BooleanField(default=False)
    words_key_id = models.UUIDField()
    words_sealed = models.BinaryField()
    unlinked = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=8, choices=BreachState, default=BreachState.OPEN)
    notified_at = models.DateTimeField(null=True)
    reference = models.CharField(max_length=40, blank=True)
    late_reason = models.CharField(max_length=22, blank=True, choices=LateReason)
    not_notified = models.CharField(max_length=13, blank=True, choices=NotNotified)
    told_at = models.DateTimeField(null=True)
    told_key_id = models.UUIDField(null=True)
    told_sealed = models.BinaryField(null=True)
    not_told = models.CharField(max_length=13, blank=True, choices=NotTold)
    closed_at = models.DateTimeField(null=True)
    erased_at = models.DateTimeField(null=True)

    objects = BreachQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("begins_at")), name="breach_span_has_a_length"
            )
        ]

    def __str__(self) -> str:
        return f"{self.state} {self.id}"

    @property
    def notify_by(self) -> datetime:
        """Until when the authority is told."""
        return self.noticed_at + NOTIFY_WITHIN

    @property
    def is_late(self) -> bool:
        """Whether the authority is still to be told although the 72 hours are over."""
        return self.state == BreachState.OPEN and self.notify_by < timezone.now()

    @property
    def hours_left(self) -> int:
        """Whole hours until then; negative when they are over."""
        return int((self.notify_by - timezone.now()) / timedelta(hours=1))

    def kind_labels(self) -> list[Any]:
        """What it did, in words."""
        labels = dict(BreachKind.choices)
        return [labels.get(kind, kind) for kind in self.kinds]


class BreachPerson(models.Model):
    """Somebody whom a breach concerns, with how many entries say so; an opaque row."""

    breach = models.ForeignKey(Breach, models.CASCADE, related_name="people")
    subject = models.ForeignKey(DataSubject, models.PROTECT, related_name="breaches")
    entries = models.PositiveIntegerField(default=0)
    told_at = models.DateTimeField(null=True)
    by_message = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["breach", "subject"], name="one_row_per_person")
        ]

    def __str__(self) -> str:
        return str(self.pk)
