"""Erasing one recording at the word of an administrator: what should not have been recorded, or not so.

Erasing needs no consent, so the gate is not asked; it refuses everything of the recording from the moment
the erasure is filed. A legal hold postpones the destruction, as ever.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.actors import Actor
from accounts.permissions import ROLE_PERMISSIONS
from audit_log.actions import Action, Outcome, ReasonCode
from audit_log.log import append_durable
from consent.errors import ConsentRefused
from consent.models import ErasureCause, ErasureRequest
from consent.records import lock_state
from emotion.disputes import erasure_of
from emotion.entries import about_recording
from emotion.erasure import drain_one, erase_recording
from emotion.errors import NotFound
from emotion.models import Recording
from emotion.results import find_recording
from vault.tags import tagger

ANSWER_IT = gettext_lazy(
    "The person says that this is not them. Answer the dispute, which erases it too."
)


def may_discard(actor: Actor) -> bool:
    """Whether this actor erases recordings at all; which ones, the look-up decides."""
    role = actor.role if actor.kind == "operator" else None
    return role is not None and "emotion.erase_recording" in ROLE_PERMISSIONS[role]


def discard(actor: Actor, recording_id: UUID) -> ErasureRequest:
    """File the erasure of a recording with its entry, and begin it; again, it finds the one that is there.

    Raises NotFound, and ConsentRefused while the recording is disputed: answering the dispute erases it
    and lets its uploader go on.
    """
    recording = find_recording(actor, recording_id)
    if not may_discard(actor):
        raise NotFound(_("There is no such recording."))
    with transaction.atomic():
        lock_state(recording.subject_id, recording.purpose_id)
        request = erasure_of(recording)
        disputed = Recording.objects.filter(pk=recording.pk, disputed_at__isnull=False).exists()
        if request is None and not disputed:
            request = erase_recording(recording, ErasureCause.DISCARDED, actor.log_name())
    if request is None:
        refuse(actor, recording)
    else:
        drain_one(request)
    return request


def refuse(actor: Actor, recording: Recording) -> NoReturn:
    """Write the refusal down, then raise it."""
    tags = tagger(recording.subject_id, recording.purpose_id)
    refused = ConsentRefused(ReasonCode.RECORDING_DISPUTED, ANSWER_IT)
    draft = about_recording(recording, Action.ERASURE_REQUEST, actor.log_name(), tags)
    append_durable(replace(draft, outcome=Outcome.REFUSED, reason=refused.reason))
    raise refused
