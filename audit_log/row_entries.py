"""Rows elsewhere that must have their entry in the log, as far as the rooms above have registered them.

The log knows no people and no analyses. Each room says which of its rows were written with an entry, and
how that entry is found: by its id, or by the tags that it bears, and what it must say. Reads leave no row
but their entry.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, product
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from audit_log.actions import Outcome
from audit_log.entries import parse
from audit_log.errors import AuditLogError, InvalidEntry
from audit_log.models import LogEntry, PendingEntry

BATCH = 500  # SQLite takes no more than some thousand values in one question


@dataclass(frozen=True, kw_only=True)
class Logged:
    """A row, in words, and what its entry bears: an id or a tag, one of some actions and of some outcomes.

    Fields:
        ends: the tag that the entry's detail names, where several rows share the object (``ending``).
        also: what else would do as its entry.
    """

    row: str
    actions: frozenset[str]
    outcomes: frozenset[str] = frozenset({Outcome.OK.value})
    entry_id: UUID | None = None
    consent_tag: bytes = b""
    object_tag: bytes = b""
    ends: bytes = b""
    also: Logged | None = None


class RowsUnreadable(AuditLogError):
    """The rows cannot be asked, so nobody can say whether each has its entry."""

    code = "rows-unreadable"
    message = _("The rows that belong to entries cannot be read.")


Source = Callable[[], Iterable[Logged]]
Key = tuple[UUID | bytes, str, str, bytes]
sources: list[Source] = []


def ending(tag: bytes) -> bytes:
    """The detail of an entry that is the end of one of several rows: it names which, by a tag."""
    return json.dumps({"ends": tag.hex()}, separators=(",", ":")).encode()


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
    things = [each for each in (row.entry_id, row.consent_tag, row.object_tag) if each]
    yield from product(things, row.actions, row.outcomes, [row.ends])
    if row.also:
        yield from keys_of(row.also)


def placed(rows: list[Logged]) -> set[Key]:
    """The keys of the entries that have a place in the tree, among those that may belong to the rows."""
    asked = Q(entry_id__in=[row.entry_id for row in rows if row.entry_id])
    asked |= Q(consent_tag__in=[row.consent_tag for row in rows if row.consent_tag])
    asked |= Q(object_tag__in=[row.object_tag for row in rows if row.object_tag])
    actions = {action for row in rows for _thing, action, *_ in keys_of(row)}
    found = LogEntry.objects.filter(asked, action__in=actions)
    columns = ("entry_id", "consent_tag", "object_tag", "action", "outcome", "body")
    known: set[Key] = set()
    for entry_id, consent_tag, object_tag, action, outcome, body in found.values_list(*columns):
        ends = ended_by(detail_in(body))
        known.update(keys(entry_id, consent_tag, object_tag, action, outcome, ends))
    return known


def pending(rows: list[Logged]) -> set[Key]:
    """The keys of the entries that wait for their place."""
    found: set[Key] = set()
    for body in PendingEntry.objects.values_list("body", flat=True).iterator():
        try:
            entry = parse(bytes(body))
        except InvalidEntry:
            continue  # what is damaged proves nothing
        draft = entry.draft
        said = draft.action.value, draft.outcome.value, ended_by(draft.detail)
        found.update(keys(entry.id, draft.consent_tag, draft.object_tag, *said))
    return found


def keys(
    entry_id: UUID, consent_tag: bytes, object_tag: bytes, action: str, outcome: str, ends: bytes
) -> Iterator[Key]:
    """What an entry is known by."""
    things = (entry_id, bytes(consent_tag), bytes(object_tag))
    return product(things, [action], [outcome], [ends])


def detail_in(body: bytes) -> bytes:
    """The detail of an entry's body; nothing of a damaged one.

    Not by ``parse``: entries in the tree may be a million, and their verification has parsed each already.
    """
    try:
        return bytes.fromhex(json.loads(bytes(body))["detail"])
    except (KeyError, TypeError, ValueError):
        return b""


def ended_by(detail: bytes) -> bytes:
    """The tag of the row that an entry's detail names as ended; nothing when it names none."""
    try:
        return bytes.fromhex(json.loads(detail)["ends"])
    except (KeyError, TypeError, ValueError):
        return b""
