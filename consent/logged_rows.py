"""Rows of consents, erasures, holds and tellings that were written together with an entry of the log."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from django.db.models import Model

from audit_log.actions import Action
from audit_log.row_entries import Logged, register
from consent.models import ConsentEvent, ErasureRequest, EventKind, LegalHold, Telling
from vault.logged_rows import with_tags

ACTIONS = {
    EventKind.REQUESTED: {Action.CONSENT_REQUEST},
    EventKind.CANCELLED: {Action.CONSENT_CANCEL},
    EventKind.NOTICE_SHOWN: {Action.NOTICE_SHOW},
    EventKind.GUARDIAN: {Action.CONSENT_GUARDIAN},
    EventKind.GIVEN: {Action.CONSENT_GIVE, Action.CONSENT_ATTEST},
    EventKind.RENEWED: {Action.CONSENT_GIVE, Action.CONSENT_ATTEST},
    EventKind.REAFFIRMED: {Action.CONSENT_GIVE, Action.CONSENT_ATTEST},
    EventKind.NARROWED: {Action.CONSENT_NARROW},
    EventKind.RESTRICTED: {Action.CONSENT_RESTRICT},
    EventKind.RESUMED: {Action.CONSENT_RESUME},
    EventKind.REFUSED: {Action.CONSENT_REFUSE},
    EventKind.WITHDRAWN: {Action.CONSENT_WITHDRAW},
    EventKind.EXPIRED: {Action.CONSENT_EXPIRE},
}
NAMING: dict[type[Model], tuple[str, set[Action]]] = {
    ErasureRequest: (
        "erasure",
        {
            Action.CONSENT_WITHDRAW,
            Action.ERASURE_REQUEST,
            Action.ERASURE_KEYS_DESTROYED,
            Action.ERASURE_COMPLETE,
            Action.ERASURE_FINAL,
            Action.TAGS_DESTROY,
        },
    ),
    LegalHold: ("legal hold", {Action.HOLD_PLACE, Action.HOLD_LIFT, Action.HOLD_END}),
    Telling: ("telling", {Action.ERASURE_TOLD, Action.ERASURE_ACKNOWLEDGED}),
}
"""What rows that name their entries by id are called, and the actions of those entries."""


@register
def consent_events() -> Iterator[Logged]:
    """Every event whose tags can still be made."""
    rows = ConsentEvent.objects.order_by("subject", "purpose").iterator()
    for event, tags in with_tags(rows, lambda row: (row.subject_id, row.purpose_id)):
        yield Logged(
            row=f"consent event {event.id}",
            consent_tag=tags.consent_record(event.id),
            actions=frozenset(ACTIONS[EventKind(event.kind)]),
        )


@register
def rows_with_entries() -> Iterator[Logged]:
    """Every entry that an erasure, a legal hold or the telling of a recipient names."""
    for model, (words, actions) in NAMING.items():
        rows = model._default_manager.values_list("id", "entry_ids").iterator()
        for row_id, entry_ids in rows:
            for entry_id in entry_ids:
                yield Logged(
                    row=f"{words} {row_id}", entry_id=UUID(entry_id), actions=frozenset(actions)
                )
