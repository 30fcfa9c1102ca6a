"""The camera's door: what it will record is shown, and in the log, before a page may open it.

Every page forbids the camera by its Permissions-Policy (``config.middleware``). Only one allows it
(``emotion.camera_views``), for whoever came through here: so the browser itself keeps the camera shut until
the entry is written.
"""

from __future__ import annotations

from functools import partial

from django.conf import settings
from django.db import transaction

from accounts.actors import Actor
from audit_log.actions import Action, Outcome
from audit_log.entries import Draft
from audit_log.log import append, append_durable
from consent.enforcement import asker_of, require_consent
from consent.errors import ConsentRefused
from consent.models import ConsentState
from consent.records import acting_name, lock_state
from consent.rules import Operation
from vault.tags import tagger

FILM_BITS = 2_500_000
"""Per second, of a film that the browser makes: 720p of a face that hardly moves, without visible loss."""
FILLED = 0.95
"""How much of the largest upload a film may come to: browsers keep to a bit rate only roughly."""


def longest_film() -> int:
    """How many seconds a film from the camera may last: as long as films may, and as large."""
    seconds = FILLED * 8 * settings.FILM_MAX_BYTES / FILM_BITS
    return int(min(settings.FILM_MAX_SECONDS, seconds))


def allow_camera(actor: Actor, state: ConsentState) -> None:
    """Write down that the person was shown what is recorded and asks for the camera.

    Raises ConsentRefused, with an entry, when nothing may be recorded.
    """
    tags = tagger(state.subject_id, state.purpose_id)
    draft = partial(
        Draft,
        action=Action.CAMERA_ALLOW,
        actor=acting_name(actor, tags),
        purpose_id=state.purpose_id,
        subject_tag=tags.subject(),
    )
    try:
        with transaction.atomic():
            lock_state(state.subject_id, state.purpose_id)
            permit = require_consent(
                subject_id=state.subject_id,
                purpose_id=state.purpose_id,
                operation=Operation.UPLOAD,
                asker=asker_of(actor),
                action=Action.CAMERA_ALLOW,
                object_kind="purpose",
                object_id=state.purpose_id,
            )
            append(draft(policy_version=permit.policy_version))
    except ConsentRefused as refusal:
        append_durable(draft(outcome=Outcome.REFUSED, reason=refusal.reason))
        raise
