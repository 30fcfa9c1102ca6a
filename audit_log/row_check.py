"""Rows of the log as the driver gives them, and the quick proof that one is what its own body says.

Verifying a log of a million entries is mostly this. The quick proof accepts a body whose form one regular
expression knows and whose columns are spelled as we spell them. It accepts nothing that ``parse`` and
``columns`` would not; whatever it does not accept is looked at by those, which also say what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from audit_log.actions import Action, Outcome, ReasonCode
from audit_log.entries import ACTOR, MAX_BODY, POLICY, UUID_PATTERN, VERSION
from audit_log.merkle import leaf_hash

TABLE = "audit_log_logentry"
TAG = "(?:[0-9a-f]{64})?"
NULL_OR_UUID = f'null|"{UUID_PATTERN}"'
# A UUID of version 7 and of the variant that has versions.
OWN_ID = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
# The day is not looked at here.
TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}"
BODY = re.compile(
    rf'\{{"action":"([a-z:-]+)","actor":"({ACTOR.pattern})","consent":"({TAG})",'
    rf'"detail":"(?:[0-9a-f]{{2}})*","id":"({OWN_ID})","object":"({TAG})","outcome":"([a-z]+)",'
    rf'"permit":(?:{NULL_OR_UUID}),"policy":"(?:{POLICY.pattern})","purpose":({NULL_OR_UUID}),'
    rf'"reason":(null|"[a-z-]+"),"subject":"({TAG})","time":"({TIME})Z","v":{VERSION}\}}'
)
ACTIONS = frozenset(each.value for each in Action)
OUTCOMES = frozenset(each.value for each in Outcome)
REASONS = frozenset({"null", *(f'"{each.value}"' for each in ReasonCode)})

Row = tuple[Any, ...]
# How the driver gives an id and a time: by database, what to select and how to spell what a body says.
SELECTED = {"sqlite": ("{}", "CAST({} AS text)"), "postgresql": ("{}::text", "{}")}


def read_rows(start: int, end: int) -> list[Row]:
    """The rows of the entries from ``start`` to before ``end``, as ``said`` spells them."""
    uuid, time = SELECTED[connection.vendor]
    names = (
        '"index"', uuid.format("entry_id"), "leaf_hash", "body", time.format('"time"'), "actor",
        "action", "outcome", "reason", uuid.format("purpose_id"), "subject_tag", "object_tag",
        "consent_tag",
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {', '.join(names)} FROM {TABLE} "  # noqa: S608  the columns and spellings written above; the values are parameters
            'WHERE "index" >= %s AND "index" < %s ORDER BY "index"',
            [start, end],
        )
        found: list[Row] = cursor.fetchall()
        return found


def read_nodes_between(low: int, high: int) -> dict[int, bytes]:
    """The stored hashes at the positions from ``low`` to before ``high``."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT position, hash FROM audit_log_treenode WHERE position >= %s AND position < %s",
            [low, high],
        )
        return dict(cursor.fetchall())


def sqlite_spelling(entry_id: str, time: str) -> tuple[str, object]:
    """An id and a time as Django writes them on SQLite."""
    return entry_id.replace("-", ""), f"{time[:10]} {time[11:]}".removesuffix(".000000")


def postgresql_spelling(entry_id: str, time: str) -> tuple[str, object]:
    """An id as text; a time as the driver gives it."""
    return entry_id, datetime.fromisoformat(f"{time}+00:00")


Spelling = Callable[[str, str], tuple[str, object]]
SPELLINGS: dict[str, Spelling] = {"sqlite": sqlite_spelling, "postgresql": postgresql_spelling}


def sound_leaf(row: Row, index: int, spelled: Spelling) -> bytes | None:
    """The leaf hash of a row that is at its place and is what its body says; None when in doubt."""
    try:
        body = bytes(memoryview(row[3]))
        found = BODY.fullmatch(body.decode("ascii"))
        if found is None or len(body) > MAX_BODY:
            return None
        leaf = leaf_hash(body)
        said = columns_said(found.groups(), spelled)
    except (TypeError, ValueError):
        return None
    sound = said is not None and row[:3] == (index, said[0], leaf) and row[4:] == said[1]
    return leaf if sound else None


def columns_said(groups: Sequence[str], spelled: Spelling) -> tuple[str, Row] | None:
    """The id that a body states, and what the other columns are by it; None for a word that is no word.

    Raises ValueError for a day that is none.
    """
    action, actor, consent, entry_id, object_tag, outcome, purpose, reason, subject, time = groups
    if action not in ACTIONS or outcome not in OUTCOMES or reason not in REASONS:
        return None
    datetime.fromisoformat(time)
    own, at = spelled(entry_id, time)
    return own, (
        at,
        actor,
        action,
        outcome,
        "" if reason == "null" else reason[1:-1],
        None if purpose == "null" else spelled(purpose[1:-1], time)[0],
        bytes.fromhex(subject),
        bytes.fromhex(object_tag),
        bytes.fromhex(consent),
    )
