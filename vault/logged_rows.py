"""Key epochs, whose opening and destruction are entries of the log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import TypeVar
from uuid import UUID

from audit_log.actions import Action
from audit_log.row_entries import Logged, RowsUnreadable, register
from vault.errors import VaultError
from vault.models import Epoch
from vault.tags import Tagger, tagger_if_alive

Row = TypeVar("Row")
Owner = tuple[UUID, UUID]


@register
def epochs() -> Iterator[Logged]:
    """The entries that epochs name."""
    for epoch in Epoch.objects.all():
        for entry_id, action in (
            (epoch.opened_entry, Action.EPOCH_OPEN),
            (epoch.destroyed_entry, Action.EPOCH_DESTROY),
        ):
            if entry_id:
                yield Logged(
                    row=f"epoch {epoch.id}", entry_id=entry_id, actions=frozenset({action})
                )


def with_tags(rows: Iterable[Row], owner: Callable[[Row], Owner]) -> Iterator[tuple[Row, Tagger]]:
    """Each row with the tagger by which its entry is found; rows of one owner stand together.

    ``owner`` gives the subject and the purpose of a row. Rows whose tag key is destroyed are left out: by
    now nobody can tell which entry is whose. Raises RowsUnreadable when the keys are not there.
    """
    for (subject_id, purpose_id), group in groupby(rows, owner):
        try:
            tags = tagger_if_alive(subject_id, purpose_id)
        except VaultError as error:
            raise RowsUnreadable(str(error)) from error
        if tags:
            yield from ((row, tags) for row in group)
