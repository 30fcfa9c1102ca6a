"""What API clients asked to take away."""

from __future__ import annotations

from django.db import models
from uuid_utils.compat import uuid7

from accounts.models import ApiClient
from consent.models import Purpose


class ExportFormat(models.TextChoices):
    """In which form the files of an export come."""

    JSON = "json", "JSON"
    CSV = "csv", "CSV"
    PARQUET = "parquet", "Apache Parquet"


class Export(models.Model):
    """What an API client asked to take away; nothing of what was measured is kept with it.

    Fields:
        subjects: opaque ids, or None for everybody; created_after, created_before: of recordings.
        analyses: how many fitted when it was asked for.
        sent_at: when it was last fetched to its end; included, refused: how many went out then, and how
            many did not, by code.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    client = models.ForeignKey(ApiClient, models.PROTECT, related_name="+")
    purpose = models.ForeignKey(Purpose, models.PROTECT, related_name="+")
    reason = models.CharField(max_length=40)
    format = models.CharField(max_length=7, choices=ExportFormat)
    categories = models.JSONField()
    subjects = models.JSONField(null=True)
    created_after = models.DateTimeField(null=True)
    created_before = models.DateTimeField(null=True)
    analyses = models.PositiveIntegerField()
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    sent_at = models.DateTimeField(null=True)
    included = models.PositiveIntegerField(default=0)
    refused = models.JSONField(default=dict)

    def __str__(self) -> str:
        return str(self.id)
