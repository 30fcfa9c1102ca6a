"""Epochs: the life of key-encryption keys, from the first to the destruction of the last but one.

A rotation opens a new epoch, wraps the surviving keys under it (never touching sealed data),
proves that nothing is wrapped under the old one any more and destroys its key with the provider.
That is the moment (T2) from which no copy of a destroyed data key, in whatever backup, can be
unwrapped.

Every step is committed by itself and read back from the epochs' rows, so a rotation that was killed
anywhere is finished by the next call. Two at once do no harm: each step is a conditional change.

The keystore and the log never commit together, so an entry is written after its step and the epoch's row
keeps the entry's id. A kill between the two writes the entry once more; it never leaves one out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from uuid import UUID

from django.db import connections, transaction
from django.utils import timezone

from audit_log.actions import Action
from audit_log.entries import Draft
from audit_log.log import append_durable
from vault import keys
from vault.aead import encode_fields
from vault.errors import KeystoreUnavailable, WrapsRemain, WrongRootKey
from vault.models import KEY_MODELS, Epoch, EpochState, WrappedKey
from vault.providers import Provider, configured
from vault.routing import KEYSTORE

BATCH = 1000  # keys that are moved in one transaction
PROOF = b"consentry epoch key".ljust(32, b"\x00")
ACTOR = "system:keeper"
OPENING_LOCK = 0x6570_6F63_6873  # any number that is used for nothing else in the keystore
ERASURE_WAIT = timedelta(hours=24)
"""The age at which an epoch ends when keys were destroyed under it: how long T2 comes after T1."""
EPOCH_LIFE = timedelta(days=90)
"""The age at which an epoch ends in any case."""
Progress = Callable[[int, int], None]


def no_progress(moved: int, total: int) -> None:
    """Nobody watches."""


def current() -> Epoch:
    """The epoch that new keys are wrapped under; raises KeystoreUnavailable when there is none."""
    with keys.keystore():
        found = Epoch.objects.filter(state=EpochState.CURRENT).first()
    if found is None:
        raise KeystoreUnavailable("the keystore has no current epoch: run `manage.py setup`")
    return found


def places(provider: Provider | None = None) -> list[str]:
    """Where the keys lie under which anything may be wrapped now: the current epoch's, or two."""
    source = provider or configured()
    living = [EpochState.CURRENT, EpochState.CLOSED]
    with keys.keystore():
        found = Epoch.objects.filter(state__in=living).order_by("id")
        return [source.place(epoch.id) for epoch in found]


def is_due() -> bool:
    """Whether to rotate now.

    An interrupted rotation is finished at once. An epoch that destroyed keys are still wrapped under
    (in backups: their rows are empty) ends after ``ERASURE_WAIT``, any other after ``EPOCH_LIFE``.
    """
    unfinished = [EpochState.OPENING, EpochState.CLOSED, EpochState.DESTROYING]
    with keys.keystore():
        if Epoch.objects.filter(state__in=unfinished).exists():
            return True
        epoch = current()
        dead = [model._default_manager.filter(epoch=epoch) for model in KEY_MODELS]
        erased = any(rows.exclude(destroyed_at=None).exists() for rows in dead)
    limit = ERASURE_WAIT if erased else EPOCH_LIFE
    return epoch.opened_at is not None and timezone.now() - epoch.opened_at >= limit


def rotate_if_due(provider: Provider | None = None, progress: Progress = no_progress) -> int:
    """Rotate when it is time, as ``rotate`` does; 1 when it was. Keeper only.

    Otherwise only log entries that are still missing are written.
    """
    if not is_due():
        with keys.keystore():
            record_entries()
        return 0
    rotate(provider, progress)
    return 1


def rotate(provider: Provider | None = None, progress: Progress = no_progress) -> Epoch:
    """Run a rotation to its end, or finish the one that was interrupted; the current epoch.

    ``progress`` is told how many keys have been moved, of how many, after every batch.

    Raises WrongRootKey or RootKeyMissing when a survivor does not open, LogUnavailable when the log
    cannot be written (nothing is destroyed before the opening is in the log), AppendInsideTransaction
    inside a transaction of the main database.
    """
    source = provider or configured()
    with keys.keystore():
        if not Epoch.objects.filter(state__in=[EpochState.CLOSED, EpochState.DESTROYING]).exists():
            now = current()
            try:
                # A key folder that is not mounted must not be made anew for the next epoch's key.
                verify(source, now)
            except keys.OVERTAKEN:
                if current().id == now.id:
                    raise
            open_next(source, now.id)
        record_entries()
        for old in Epoch.objects.filter(state=EpochState.CLOSED):
            rewrap_survivors(source, old, current(), progress)
            prove_empty(old)
        for old in Epoch.objects.filter(state=EpochState.DESTROYING):
            destroy(source, old)
        record_entries()
    return current()


def record_entries() -> None:
    """Write the log entries that are still missing, oldest first: of epochs opened and of epochs destroyed.

    The first epoch is opened by ``setup.ensure_root``; its entry is written here too.
    """
    epochs = Epoch.objects.order_by("id")
    for epoch in epochs.filter(opened_entry=None).exclude(state=EpochState.OPENING):
        receipt = append_durable(entry(Action.EPOCH_OPEN, epoch))
        Epoch.objects.filter(id=epoch.id).update(opened_entry=receipt.entry_id)
    for epoch in epochs.filter(destroyed_entry=None, state=EpochState.DESTROYED):
        receipt = append_durable(entry(Action.EPOCH_DESTROY, epoch))
        Epoch.objects.filter(id=epoch.id).update(destroyed_entry=receipt.entry_id)


def entry(action: Action, epoch: Epoch) -> Draft:
    """The entry about an epoch; its id is about no person, so the detail is not sealed."""
    detail = json.dumps({"epoch": str(epoch.id)}, separators=(",", ":")).encode()
    return Draft(action=action, actor=ACTOR, detail=detail)


def open_next(source: Provider, after: UUID | None) -> None:
    """Make a new epoch with its key and make it the current one; the one before is closed.

    Nothing happens when ``after`` (None: no epoch at all) is no longer the current epoch.
    """
    epoch = opening_epoch(after)
    if epoch is None:
        return
    source.create(epoch.id)
    proof = source.wrap(epoch.id, PROOF, proof_aad(epoch.id))
    with transaction.atomic(using=KEYSTORE):
        lock_epochs()
        now = timezone.now()
        if not Epoch.objects.filter(id=epoch.id, state=EpochState.OPENING).exists():
            return  # another process finished this step
        # Waits for everyone who holds the old epoch by a share lock while wrapping under it.
        Epoch.objects.filter(state=EpochState.CURRENT).update(
            state=EpochState.CLOSED, closed_at=now
        )
        Epoch.objects.filter(id=epoch.id).update(
            state=EpochState.CURRENT, proof=proof, opened_at=now
        )


def opening_epoch(after: UUID | None) -> Epoch | None:
    """The epoch that is being opened: the one that was begun, or a new row after ``after``."""
    with transaction.atomic(using=KEYSTORE):
        lock_epochs()
        begun = Epoch.objects.filter(state=EpochState.OPENING).first()
        if begun is not None:
            return begun
        last = Epoch.objects.filter(state=EpochState.CURRENT).first()
        if (last.id if last else None) != after:
            return None  # another process opened one meanwhile
        return Epoch.objects.create()


def lock_epochs() -> None:
    """Let one transaction at a time open an epoch. On SQLite the IMMEDIATE transaction does."""
    connection = connections[KEYSTORE]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [OPENING_LOCK])


def rewrap_survivors(
    source: Provider, old: Epoch, new: Epoch, progress: Progress = no_progress
) -> None:
    """Wrap every living key of ``old`` under ``new``, or under the epoch that is current by then.

    The provider has tried each before it is stored.
    """
    rows = [model._default_manager.filter(epoch=old, destroyed_at=None) for model in KEY_MODELS]
    total, moved = sum(living.count() for living in rows), 0
    for living in rows:
        while batch := list(living[:BATCH]):
            bound = [
                (bytes(r.wrapped or b""), keys.wrap_aad(r, old.id), keys.wrap_aad(r, new.id))
                for r in batch
            ]
            try:
                fresh = source.rewrap(old.id, new.id, bound)
            except keys.OVERTAKEN:
                left = living.filter(id__in=[row.id for row in batch]).exists()
                if left and current().id == new.id:
                    raise
                new = current()
                continue  # another rotation moved them, or destroys what they were to be moved to
            with transaction.atomic(using=KEYSTORE):
                still_current = keys.share_lock(new.id)
                if still_current:
                    store_moved(batch, fresh, new.id)
            if not still_current:
                new = current()  # another rotation has begun: what is left goes to its epoch
                continue
            moved += len(batch)
            progress(moved, max(total, moved))
    keys.scrub()


def store_moved(rows: Sequence[WrappedKey], wrapped: Sequence[bytes], epoch_id: UUID) -> None:
    """Write new wraps over the old ones of rows of one kind, in one round trip.

    A key that was destroyed or moved meanwhile stays as it is.
    """
    connection, meta = connections[KEYSTORE], rows[0]._meta
    fields = {field.name: field for field in meta.fields}
    id_field, epoch, body = fields["id"], fields["epoch"], fields["wrapped"]
    statement = (
        f"UPDATE {meta.db_table} SET epoch_id = %s, wrapped = %s "  # noqa: S608  # the table of a model; values are bound
        "WHERE id = %s AND epoch_id = %s AND destroyed_at IS NULL"
    )
    with connection.cursor() as cursor:
        cursor.executemany(
            statement,
            [
                (
                    epoch.get_db_prep_save(epoch_id, connection),
                    body.get_db_prep_save(fresh, connection),
                    id_field.get_db_prep_save(row.id, connection),
                    epoch.get_db_prep_save(row.epoch_id, connection),
                )
                for row, fresh in zip(rows, wrapped, strict=True)
            ],
        )


def prove_empty(old: Epoch) -> None:
    """Mark a closed epoch for destruction, once no key at all is wrapped under it.

    Nobody can wrap under it any more: that takes a share lock on the current epoch. Raises
    WrapsRemain.
    """
    with transaction.atomic(using=KEYSTORE):
        held = Epoch.objects.select_for_update().get(id=old.id)
        if held.state != EpochState.CLOSED:
            return
        for model in KEY_MODELS:
            left = model._default_manager.filter(epoch=old, destroyed_at=None).count()
            if left:
                raise WrapsRemain(f"{left} keys ({model.__name__}) are still under epoch {old.id}")
        Epoch.objects.filter(id=old.id).update(state=EpochState.DESTROYING)


def destroy(source: Provider, old: Epoch) -> None:
    """Destroy the epoch's key with the provider, then say so."""
    source.destroy(old.id)
    Epoch.objects.filter(id=old.id, state=EpochState.DESTROYING).update(
        state=EpochState.DESTROYED, destroyed_at=timezone.now()
    )


def verify(source: Provider, epoch: Epoch) -> None:
    """Raises RootKeyMissing or WrongRootKey unless the provider holds this epoch's own key."""
    if source.unwrap(epoch.id, bytes(epoch.proof or b""), proof_aad(epoch.id)) != PROOF:
        raise WrongRootKey(f"the provider's key for epoch {epoch.id} is not the one it had")


def proof_aad(epoch_id: UUID) -> bytes:
    """What the known text of an epoch is bound to."""
    return encode_fields([b"consentry/epoch/v1", epoch_id.bytes])
