"""Field types of the access log's tables."""

from __future__ import annotations

from typing import Any

from django.db import models


class BytesField(models.BinaryField):
    """A binary column that reads back as ``bytes`` on every database (psycopg gives memoryviews)."""

    def from_db_value(self, value: Any, *args: Any) -> bytes | None:
        """Copy into bytes, which compare and hash by value."""
        return None if value is None else bytes(value)
