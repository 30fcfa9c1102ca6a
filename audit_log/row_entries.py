"""Rows elsewhere that must have their entry in the log, as far as the rooms above have registered them.

The log knows no people and no analyses. Each room says which of its rows were written with an entry, and
how that entry is found: by its id, or by the tags that it bears. Reads leave no row but their entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from audit_log.entries import parse
from audit_log.errors import AuditLogError, InvalidEntry
from audit_log.models import LogEntry, PendingEntry

BATCH = 500  # SQLite takes no more than some thousand values in one question


@dataclass(frozen=True, kw_only=True)
class Logged:
    """A row, in words, and what its entry bears: an id, or a tag with one of some actions."""

    row: str
    entry_id: UUID | None = None
    consent_tag: bytes = b""
    object_tag: bytes = b""
    actions: frozenset[str] = frozenset()


class RowsUnreadable(AuditLogError):
    """The rows cannot be asked, so nobody can say whether each has its entry."""

    code = "rows-unreadable"
    message = _("The rows that belong to entries cannot be read.")


Source = Callable[[], Iterable[Logged]]
Key = tuple[object, str]
sources: list[Source] = []


def register(source: Source) -> Source:
    """Let ``verify_log`` ask for these rows too; usable as a decorator."""
    sources.append(source)
    return source


@dataclass(frozen=True)
class RowsVerdict:
    """How many rows were looked at, and the first one without its entry, or nothing."""

    rows: int
    missing: str = ""


def verify_rows(progress: Callable[[int], None] = lambda done: None) -> RowsVerdict:
    """Look for the entry of every registered row; stops at the first that has none."""
    done = 0
    for source in sources:
        rows = iter(source())
        while batch := list(islice(rows, BATCH)):
            # An entry may move from one table to the other meanwhile.
            lost = without(without(without(batch, placed), pending), placed)
            if lost:
                return RowsVerdict(done, lost[0].row)
            done += len(batch)
            progress(done)
    return RowsVerdict(done)


def without(rows: list[Logged], known: Callable[[list[Logged]], set[Key]]) -> list[Logged]:
    """The rows whose entry is not among what is known."""
    if not rows:
        return []
    found = known(rows)
    return [row for row in rows if not found.intersection(keys_of(row))]


def keys_of(row: Logged) -> Iterator[Key]:
    """What an entry of this row may be known by."""
    if row.entry_id:
        yield row.entry_id, ""
    for tag in (row.consent_tag, row.object_tag):
        if tag:
            yield from ((tag, action) for action in row.actions)


def placed(rows: list[Logged]) -> set[Key]:
    """The keys of the entries that have a place in the tree, among those that may belong to the rows."""
    asked = Q(entry_id__in=[row.entry_id for row in rows if row.entry_id])
    asked |= Q(consent_tag__in=[row.consent_tag for row in rows if row.consent_tag])
    asked |= Q(object_tag__in=[row.object_tag for row in rows if row.object_tag])
    found = LogEntry.objects.filter(asked)
    columns = found.values_list("entry_id", "consent_tag", "object_tag", "action")
    return {key for each in columns for key in keys(*each)}


def pending(rows: list[Logged]) -> set[Key]:
    """The keys of the entries that wait for their place."""
    found: set[Key] = set()
    for body in PendingEntry.objects.values_list("body", flat=True).iterator():
        try:
            entry = parse(bytes(body))
        except InvalidEntry:
            continue  # what is damaged proves nothing
        draft = entry.draft
        found.update(keys(entry.id, draft.consent_tag, draft.object_tag, draft.action.value))
    return found


def keys(entry_id: UUID, consent_tag: bytes, object_tag: bytes, action: str) -> list[Key]:
    """What an entry is known by."""
    return [(entry_id, ""), (bytes(consent_tag), action), (bytes(object_tag), action)]
