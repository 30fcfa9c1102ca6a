"""Who looked, in words: a data subject's entries of the access log, found by their own tags.

The tags are recomputed from the person's keys; the log itself names nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import ApiClient, User
from audit_log.actions import LOOKS, Outcome
from audit_log.models import LogEntry, LogEntryQuerySet
from consent.history_words import ACTIONS, NOT_BY_YOU, REASONS, Text
from consent.models import ConsentState, DataSubject, Purpose
from vault.tags import tagger

Tags = Mapping[bytes, Purpose | None]
"""A person's tags, each with its purpose; None is the account."""
PROVEN_AT_ONCE = 1000
"""How many proofs are in one file: more would take longer than a request should."""


@dataclass(frozen=True)
class Access:
    """One entry about a person, ready to be shown to them."""

    entry_id: UUID
    at: datetime
    what: Text
    who: Text
    why: Text
    purpose: str
    refused: bool
    is_look: bool


def tags_of(subject: DataSubject) -> dict[bytes, Purpose | None]:
    """The person's tag in each purpose that ever asked them, and in their account."""
    # Where the key of the tags is destroyed, no entry is anybody's any more.
    purposes = Purpose.objects.filter(
        consent_states__subject=subject, consent_states__tags_ended_at=None
    )
    tags: dict[bytes, Purpose | None] = {
        tagger(subject.id, purpose.id).subject(): purpose for purpose in purposes
    }
    tags[tagger(subject.id, None).subject()] = None
    return tags


def actor_words(entry: LogEntry, own: bool, names: dict[str, Text]) -> Text:
    """Who acted, by role; a person's name is nobody's business but their employer's."""
    if own:
        return _("you")
    kind, _colon, who = entry.actor.partition(":")
    if kind == "operator":
        return names.get(who, _("an operator"))
    if kind == "client":
        return names.get(who, _("a study system"))
    return _("the system") if kind == "system" else _("somebody not signed in")


def actor_names(entries: Sequence[LogEntry]) -> dict[str, Text]:
    """Role labels of the operators and names of the clients in these entries, in two queries."""
    ids = {"operator": set[str](), "client": set[str]()}
    for entry in entries:
        kind, _colon, who = entry.actor.partition(":")
        if kind in ids:
            ids[kind].add(who)
    names: dict[str, Text] = {}
    for user in User.objects.filter(pk__in=ids["operator"]):
        names[str(user.pk)] = f"{user.get_role_display()} {str(user.pk)[-4:]}"
    for client in ApiClient.objects.filter(pk__in=ids["client"]):
        names[str(client.pk)] = gettext("the program “%(name)s”") % {"name": client.name}
    return names


def entries_about(tags: Tags, *, looks: bool = False) -> LogEntryQuerySet:
    """The entries about the person who has these tags; with ``looks`` only what others opened or tried to.

    Asked of the database and not of a part of the rows: whoever lets much happen hides nothing by it.
    """
    found = LogEntry.objects.about_subject(tags).defer("body", "leaf_hash")
    if looks:
        found = found.filter(action__in=LOOKS).exclude(actor__in=own_names(tags))
    return found


def own_names(tags: Iterable[bytes]) -> set[str]:
    """The names under which the person acts in the log."""
    return {f"subject:{tag.hex()}" for tag in tags}


def has_ended_links(subject: DataSubject) -> bool:
    """Whether there are studies whose entries nobody can tell to be about this person any more."""
    return ConsentState.objects.filter(subject=subject).exclude(tags_ended_at=None).exists()


def proof_files(tags: Tags) -> int:
    """How many files the proofs of all these entries fill."""
    return -(-entries_about(tags).count() // PROVEN_AT_ONCE)


def entries_to_prove(tags: Tags, file: int) -> list[UUID]:
    """The entries whose proofs are in one of these files, which are counted from the oldest on from 1.

    What is in a full file never changes, however many come after it.
    """
    rows = entries_about(tags).order_by("index").values_list("entry_id", flat=True)
    return list(rows[(file - 1) * PROVEN_AT_ONCE : file * PROVEN_AT_ONCE])


def access_history(subject: DataSubject, most: int, *, looks: bool = False) -> list[Access]:
    """The newest entries about this person, newest first, at most so many; ``looks``: only those."""
    tags = tags_of(subject)
    return in_words(entries_about(tags, looks=looks).newest_first()[:most], tags)


def whole_history(tags: Tags) -> Iterator[Access]:
    """Every entry that there is now, newest first, never more than a batch in memory."""
    rows = entries_about(tags).newest_first()
    batch = list(rows[:PROVEN_AT_ONCE])
    while batch:
        yield from in_words(batch, tags)
        batch = list(rows.filter(index__lt=batch[-1].index)[:PROVEN_AT_ONCE])


def in_words(entries: Iterable[LogEntry], tags: Tags) -> list[Access]:
    """These entries as they are shown to the person."""
    rows, own = list(entries), own_names(tags)
    names = actor_names(rows)
    found = []
    for entry in rows:
        is_own = entry.actor in own
        purpose = tags.get(bytes(entry.subject_tag))
        found.append(
            Access(
                entry_id=entry.entry_id,
                at=entry.time,
                what=what_happened(entry.action, is_own),
                who=actor_words(entry, is_own, names),
                why=REASONS.get(entry.reason or "", ""),
                purpose=purpose.name if purpose else "",
                refused=entry.outcome != Outcome.OK,
                is_look=entry.action in LOOKS and not is_own,
            )
        )
    return found


def what_happened(action: str, is_own: bool) -> Text:
    """What an entry is called; ``is_own``: the person acted themself."""
    words = ACTIONS.get(action, action)
    return words if is_own else NOT_BY_YOU.get(action, words)


def find_own_entry(subject: DataSubject, entry_id: UUID) -> LogEntry | None:
    """An entry, if it is about this person."""
    return LogEntry.objects.about_subject(list(tags_of(subject))).filter(entry_id=entry_id).first()
