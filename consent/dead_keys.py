"""Keys that the main database knows to be dead stay dead, whichever keystore is beside it.

A keystore that was put back from a copy has every key again that was destroyed since the copy was made. The
erasures and the log name them all, so they are destroyed again before anything opens.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from uuid import UUID

from audit_log.actions import Action
from audit_log.errors import InvalidEntry
from audit_log.models import LogEntry
from consent.models import ConsentState, DataSubject, ErasureRequest
from vault.keyring import destroy_data_keys, living_keys
from vault.tags import destroy_tag_key

NAMING = [Action.ERASURE_KEYS_DESTROYED, Action.ERASURE_COMPLETE, Action.ERASURE_FINAL]
"""The steps whose entries name the data keys; the second also those that came after the first."""
BATCH = 500  # SQLite takes no more than some thousand values in one question


def destroy_again() -> int:
    """Destroy every key that was destroyed before; of how many data keys one lived. Safe to repeat."""
    revived = 0
    names = named_keys()
    while named := list(islice(names, BATCH)):
        if living := living_keys(named):
            revived += len(destroy_data_keys(living))
    over = ConsentState.objects.exclude(tags_destroyed_at=None)
    for subject_id, purpose_id in over.values_list("subject_id", "purpose_id").iterator():
        destroy_tag_key(subject_id, purpose_id)
    gone = DataSubject.objects.exclude(tags_destroyed_at=None)
    for subject_id in gone.values_list("id", flat=True).iterator():
        destroy_tag_key(subject_id, None)
    return revived


def named_keys() -> Iterator[UUID]:
    """The data keys of every erasure that has begun: by its row, and by entries whose row is lost."""
    begun = ErasureRequest.objects.exclude(begun_at=None)
    for key_ids in begun.values_list("key_ids", flat=True).iterator():
        yield from map(UUID, key_ids)
    for row in LogEntry.objects.filter(action__in=NAMING).iterator():
        with suppress(InvalidEntry):  # what is damaged is the verification's to tell
            yield from map(UUID, json.loads(row.entry().draft.detail)["keys"])
