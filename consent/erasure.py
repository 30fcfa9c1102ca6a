"""Erasure: the keys are destroyed first, then blobs and rows, at last the epoch that wrapped the keys.

A request is a row that this room writes and ``emotion.erasure`` drains. Each step is one small
transaction, idempotent and retried by the keeper until it is done. A legal hold keeps an erasure from
beginning; it waits, and goes on by itself when the hold is over.

The promise: at T1 live systems stop opening. By T2, when the epoch under which the key was last
wrapped is gone with the provider's copies and deletion window, and the cache life has passed, no copy
under our control can be opened. Not covered: plaintext already released, exports, memory, copies taken
by a past attacker, log metadata.
"""

from __future__ import annotations

import json
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.actors import SYSTEM_KEEPER
from audit_log.actions import Action, ReasonCode
from audit_log.entries import Draft
from audit_log.log import append
from consent.holds import lock_holds
from consent.models import (
    Contact,
    ErasureCause,
    ErasureRequest,
    OutboxMessage,
    PaperConsent,
    SignInCode,
    SubjectRequest,
)
from consent.recipients import tell_of_erasure
from consent.row_by_row import do_each
from vault.keyring import data_key_ids, destroy_data_keys, final_destruction, living_keys
from vault.tags import Tagger, tagger

REASONS = {
    ErasureCause.WITHDRAWAL: ReasonCode.WITHDRAWAL,
    ErasureCause.RETENTION: ReasonCode.RETENTION_END,
    ErasureCause.NOT_KEPT: ReasonCode.MEDIA_NOT_KEPT,
    ErasureCause.COVERED: ReasonCode.MEDIA_COVERED,
    ErasureCause.DISPUTE: ReasonCode.RECORDING_DISPUTED,
    ErasureCause.DISCARDED: ReasonCode.DISCARDED,
    ErasureCause.NARROWED: ReasonCode.PART_STOPPED,
    ErasureCause.PURPOSE_END: ReasonCode.PURPOSE_END,
    ErasureCause.UNUSED: ReasonCode.UNUSED,
    ErasureCause.ACCOUNT: ReasonCode.ACCOUNT_CLOSED,
}


def request_erasure(
    *,
    subject_id: UUID,
    purpose_id: UUID | None,
    cause: ErasureCause,
    actor_name: str,
    reason: ReasonCode,
    tags: Tagger,
    recording_id: UUID | None = None,
    category: str = "",
    only_key: UUID | None = None,
) -> ErasureRequest:
    """File an erasure with its log entry and what recipients are told, in the caller's transaction.

    Without a purpose the account's contact data and messages go. Without a recording everything of this
    subject and purpose goes; with one, that recording; with a category, only that part of it, or of them
    all; with ``only_key``, only what is sealed under that one.
    """
    request = ErasureRequest.objects.create(
        subject_id=subject_id,
        purpose_id=purpose_id,
        cause=cause,
        recording_id=recording_id,
        category=category,
        only_key=only_key,
        requested_at=timezone.now(),
    )
    appended = append(
        Draft(
            action=Action.ERASURE_REQUEST,
            actor=actor_name,
            reason=reason,
            purpose_id=purpose_id,
            subject_tag=tags.subject(),
            object_tag=tags.object("erasure", request.id),
        )
    )
    request.entry_ids = [str(appended.entry_id)]
    request.save(update_fields=["entry_ids"])
    tell_of_erasure(request)
    return request


def keys_of(request: ErasureRequest) -> set[UUID]:
    """The data keys that this erasure destroys: those that live, and those that died since it was filed."""
    since = request.requested_at
    if request.only_key is not None:
        return living_keys([request.only_key], or_died_since=since)
    reached = data_key_ids(
        subject_id=request.subject_id,
        purpose_id=request.purpose_id,
        recording_id=request.recording_id,
        category=request.category or None,
        or_died_since=since,
    )
    return set(reached)


def write_step(request: ErasureRequest, action: Action, fields: dict[str, object]) -> None:
    """Record one step with its log entry; a step already recorded by another process stays as it is.

    The entry's detail names the data-key ids in plain: they are random, and what they belonged to stands
    only on the keystore's tombstones.
    """
    tags = tagger(request.subject_id, request.purpose_id)
    step = next(iter(fields))
    with transaction.atomic():
        held = ErasureRequest.objects.select_for_update().get(pk=request.pk)
        if getattr(held, step) is None:
            for name, value in fields.items():
                setattr(held, name, value)
            appended = append(
                Draft(
                    action=action,
                    actor=SYSTEM_KEEPER.log_name(),
                    reason=REASONS[ErasureCause(held.cause)],
                    purpose_id=held.purpose_id,
                    subject_tag=tags.subject(),
                    object_tag=tags.object("erasure", held.id),
                    detail=json.dumps({"keys": held.key_ids}, separators=(",", ":")).encode(),
                )
            )
            held.entry_ids = [*held.entry_ids, str(appended.entry_id)]
            held.save()
    request.refresh_from_db()


def begin(request: ErasureRequest, keys: set[UUID]) -> bool:
    """Note that these keys are about to die; False while a legal hold postpones it.

    From the first time on no later hold stops it. What another process noted stays noted.
    """
    with transaction.atomic():
        lock_holds(request.subject_id, request.purpose_id)
        held = ErasureRequest.objects.select_for_update().get(pk=request.pk)
        if held.begun_at is None:
            if ErasureRequest.objects.held().filter(pk=request.pk).exists():
                return False
            held.begun_at = timezone.now()
        # Noted before they die, so that a kill in between leaves the receipt complete.
        held.key_ids = sorted({*held.key_ids, *map(str, keys)})
        held.save(update_fields=["begun_at", "key_ids"])
    request.refresh_from_db()
    return True


def destroy_keys(request: ErasureRequest) -> bool:
    """Destroy the data keys and record which; safe to repeat, to be killed in, and for several at once.

    False while a legal hold postpones it: then nothing was destroyed.
    """
    if request.keys_destroyed_at is not None:
        return True
    keys = keys_of(request)
    if not begin(request, keys):
        return False
    destroy_data_keys(keys)
    write_step(request, Action.ERASURE_KEYS_DESTROYED, {"keys_destroyed_at": timezone.now()})
    return True


def remove_contact(request: ErasureRequest) -> None:
    """Remove the rows of an account: contact data, messages, a code on its way, the texts of requests."""
    if request.purpose_id is None:
        forget_contact(request.subject_id)


def forget_contact(subject_id: UUID) -> None:
    """The same for whoever it is, also when no erasure can be written down any more."""
    texts = SubjectRequest.objects.filter(subject_id=subject_id)
    texts.update(text_sealed=None, answer_sealed=None)
    for model in (Contact, OutboxMessage, SignInCode):
        model._default_manager.filter(subject_id=subject_id).delete()


def remove_scans(request: ErasureRequest) -> None:
    """Remove the scans of what was signed on paper, with everything of a purpose; who attested stays."""
    if request.purpose_id and request.recording_id is None and not request.category:
        PaperConsent.objects.filter(
            subject_id=request.subject_id,
            event__purpose_id=request.purpose_id,
            event__at__lte=request.requested_at,
        ).update(sealed=None)


def rows_removed(request: ErasureRequest) -> None:
    """Record that blobs and rows are gone; keys that came too late for the first step die here."""
    remove_scans(request)
    late = keys_of(request)
    begin(request, late)
    destroy_data_keys(late)
    write_step(request, Action.ERASURE_COMPLETE, {"rows_removed_at": timezone.now()})


def record_final() -> int:
    """T2: for each erasure whose last epoch is gone, write the final entry. Keeper only."""
    waiting = ErasureRequest.objects.filter(final_at=None).exclude(rows_removed_at=None)
    return do_each(list(waiting.order_by("requested_at")[:200]), finish)


def finish(request: ErasureRequest) -> bool:
    """The same for one erasure; whether it was time."""
    at = final_destruction([UUID(key) for key in request.key_ids])
    if at is not None:
        write_step(request, Action.ERASURE_FINAL, {"final_at": at})
    return at is not None
