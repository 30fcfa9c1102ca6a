"""Which models read."""

from __future__ import annotations

from django.db import models


class ActivePack(models.Model):
    """Which pack is used for a role instead of the product's own, since when; its manifest's SHA-256."""

    role = models.CharField(max_length=16, unique=True)
    pack = models.CharField(max_length=64)
    sha256 = models.CharField(max_length=64)
    since = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.role}: {self.pack}"
