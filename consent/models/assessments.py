"""What stands behind the opening of a purpose: papers, impact assessments, approved exceptions."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from consent.models.purposes import Purpose
from consent.models.vocabulary import ResidualRisk


class Document(models.Model):
    """A small paper about a purpose, never about a person: an assessment, or a reason that is documented.

    Rows are only ever added; ``sha256`` is of the content, lower-case hex.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    purpose = models.ForeignKey(Purpose, models.PROTECT, related_name="documents")
    name = models.CharField(max_length=120)
    media_type = models.CharField(max_length=30)
    size = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    content = models.BinaryField()
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    added_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class ImpactAssessment(models.Model):
    """One version of a purpose's data protection impact assessment (GDPR Art. 35(7)).

    A change makes a new version, which nobody has approved yet. ``void_since`` says that the purpose
    itself changed after the approval.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    purpose = models.ForeignKey(Purpose, models.PROTECT, related_name="assessments")
    version = models.PositiveIntegerField()
    necessity = models.TextField(_("necessity and proportionality"), blank=True)
    risks = models.TextField(_("risks to the people"), blank=True)
    measures = models.TextField(_("measures against them"), blank=True)
    consultation = models.TextField(_("who was heard"), blank=True)
    residual_risk = models.CharField(_("residual risk"), max_length=8, choices=ResidualRisk)
    prior_consultation = models.TextField(_("what the supervisory authority said"), blank=True)
    document = models.ForeignKey(Document, models.PROTECT, null=True, related_name="assessments")
    written_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    written_at = models.DateTimeField()
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )
    approved_at = models.DateTimeField(null=True)
    void_since = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["purpose", "version"], name="one_assessment_per_version"
            )
        ]

    def __str__(self) -> str:
        return f"assessment v{self.version} of {self.purpose_id}"

    @property
    def is_approved(self) -> bool:
        """Whether the approval still stands."""
        return self.approved_at is not None and self.void_since is None


class ExceptionApproval(models.Model):
    """Somebody agreed that a medical or safety reason of Art. 5(1)(f) holds, having read its document."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    purpose = models.ForeignKey(Purpose, models.CASCADE, related_name="exception_approvals")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    statement = models.TextField()
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["purpose", "by"], name="one_exception_approval_each")
        ]

    def __str__(self) -> str:
        return f"approved by {self.by_id}"
