"""What is left of a film's analysis that ended without a result: nothing."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from django.db import transaction

from emotion.models import Result
from vault.keyring import destroy_data_keys


def discard(analysis_id: UUID) -> None:
    """Inside a transaction: remove the stretches of an analysis, and their keys once it is committed."""
    rows = Result.objects.filter(analysis_id=analysis_id, part__gt=0)
    keys = set(rows.values_list("data_key_id", flat=True))
    if keys:
        rows.delete()
        transaction.on_commit(partial(destroy_data_keys, keys))
