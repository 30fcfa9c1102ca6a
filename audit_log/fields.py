"""Field types of the access log's tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:
    Binary = models.BinaryField[bytes, bytes]
else:
    Binary = models.BinaryField


class BytesField(Binary):
    """A binary column that reads back as ``bytes`` on every database (psycopg gives memoryviews)."""

    _pyi_private_get_type: bytes  # what django-stubs reads for values()

    def from_db_value(self, value: Any, *args: Any) -> bytes | None:
        """Copy into bytes, which compare and hash by value."""
        return None if value is None else bytes(value)
