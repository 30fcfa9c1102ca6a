"""What was asked about the group of a purpose, the noisy answers, and how much may still be told."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from consent.models import Purpose


class CohortQuestion(models.TextChoices):
    """What may be asked about the group of a purpose; see ``cohort_questions``."""

    EXPRESSION = "expression", _("The foremost expression")
    VALENCE = "valence", _("The valence index: happy, less the strongest negative expression")
    SMILE = "smile", _("Smiles, and the marker of cheeks and eyes in them (films)")


class CohortState(models.TextChoices):
    """A question about a group, from being asked to its answer."""

    QUEUED = "queued", _("Waiting")
    RUNNING = "running", _("Being counted")
    ANSWERED = "answered", _("Answered")
    REFUSED = "refused", _("Refused")
    FAILED = "failed", _("Failed")


class CohortBudget(models.Model):
    """How much of what may ever be told about a purpose's group has been told.

    spent: thousandths of epsilon, of all answers together; it only grows. Whoever answers locks this row.
    """

    purpose = models.OneToOneField(Purpose, models.PROTECT, primary_key=True, related_name="+")
    spent = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.spent} of {self.purpose_id}"


class CohortAnswer(models.Model):
    """One question about a purpose's group in one month, and the noisy answer; never what it was made of.

    Fields:
        month: its first day. The same question in the same month has the same answer.
        cost: thousandths of epsilon. counts: people by group with noise, None without an answer.
        progress: the share of people who have been looked at, 0 to 1.
        attempt, tries, lease_until, resend_at: as of an analysis.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    purpose = models.ForeignKey(Purpose, models.PROTECT, related_name="+")
    question = models.CharField(max_length=10, choices=CohortQuestion)
    month = models.DateField()
    reason = models.CharField(max_length=40)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    state = models.CharField(max_length=8, choices=CohortState, default=CohortState.QUEUED)
    cost = models.PositiveIntegerField()
    counts = models.JSONField(null=True)
    answered_at = models.DateTimeField(null=True)
    progress = models.FloatField(default=0.0)
    attempt = models.PositiveIntegerField(default=0)
    tries = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    resend_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["purpose", "question", "month"],
                condition=Q(state__in=["queued", "running", "answered"]),
                name="one_answer_per_month",
            ),
            models.CheckConstraint(
                condition=Q(state="answered", counts__isnull=False)
                | (~Q(state="answered") & Q(counts__isnull=True)),
                name="answered_with_counts",
            ),
        ]
        indexes = [
            models.Index(
                fields=["state"],
                condition=Q(state__in=["queued", "running"]),
                name="cohorts_under_way",
            )
        ]

    def __str__(self) -> str:
        return f"{self.question} of {self.purpose_id}: {self.state}"

    @property
    def percent(self) -> int:
        """How many of the people have been looked at, in whole per cent, rounded down."""
        return int(self.progress * 100)
