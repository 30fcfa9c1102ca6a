"""Key epochs, whose opening and destruction are entries of the log."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from audit_log.row_entries import Logged, RowsUnreadable, register
from vault.errors import VaultError
from vault.models import Epoch
from vault.tags import Tagger, tagger_if_alive


@register
def epochs() -> Iterator[Logged]:
    """The entries that epochs name."""
    for epoch in Epoch.objects.all():
        for entry_id in (epoch.opened_entry, epoch.destroyed_entry):
            if entry_id:
                yield Logged(row=f"epoch {epoch.id}", entry_id=entry_id)


def tags_of(subject_id: UUID, purpose_id: UUID) -> Tagger | None:
    """The tagger by which a row's entry is found; None once the tags link to no one.

    Raises RowsUnreadable when the keys are not there.
    """
    try:
        return tagger_if_alive(subject_id, purpose_id)
    except VaultError as error:
        raise RowsUnreadable(str(error)) from error
