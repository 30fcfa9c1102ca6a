"""The quick look at a row accepts what we write, and nothing that the thorough one refuses."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from audit_log.entries import Draft, Entry, parse
from audit_log.errors import InvalidEntry
from audit_log.merkle import leaf_hash
from audit_log.row_check import BODY, SPELLINGS, Row, columns_said, sound_leaf
from audit_log.sequencer import columns
from tests.audit_log.test_entries import FULL, ID, TIME, drafts

VENDORS = sorted(SPELLINGS)
times = st.datetimes(min_value=TIME.replace(tzinfo=None), timezones=st.just(UTC))


def row_of(body: bytes, vendor: str, index: int = 7) -> Row:
    """A forger's row: whatever a body says, in the database's own spelling; hashes fit."""
    found = BODY.fullmatch(body.decode("latin-1"))
    said = columns_said(found.groups(), SPELLINGS[vendor]) if found else None
    own, rest = said or ("", (None,) * 9)
    return (index, own, leaf_hash(body), body, *rest)


@given(draft=drafts, time=times, vendor=st.sampled_from(VENDORS))
def test_what_we_write_is_sound_at_first_sight(draft: Draft, time: datetime, vendor: str) -> None:
    body = Entry(id=uuid7(), time=time, draft=draft).canonical()
    row = row_of(body, vendor)
    assert sound_leaf(row, 7, SPELLINGS[vendor]) == leaf_hash(body)
    assert sound_leaf(row, 8, SPELLINGS[vendor]) is None


@given(
    draft=drafts, at=st.integers(0), new=st.sampled_from([b"", b"0", b"9", b"a", b"F", b"\\", b" "])
)
def test_a_changed_byte_is_sound_only_if_it_makes_another_entry(
    draft: Draft, at: int, new: bytes
) -> None:
    body = Entry(id=ID, time=TIME, draft=draft).canonical()
    at %= len(body)
    body = body[:at] + new + body[at + 1 :]
    for vendor in VENDORS:
        try:
            row = row_of(body, vendor)
        except ValueError:
            row = (7, "", leaf_hash(body), body, *(None,) * 9)
        if sound_leaf(row, 7, SPELLINGS[vendor]):
            said = columns(parse(body).id, leaf_hash(body), body, 7)
            assert (said["actor"], said["action"]) == (row[5], row[6])
            assert (said["reason"], said["subject_tag"]) == (row[8], row[10])


BODY_OF_FULL = Entry(id=ID, time=TIME, draft=FULL).canonical()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2026-05-04T", "2026-13-04T"), ("T03:", "T24:"), ("T03:02:01.000042Z", "T03:02:01Z"),
        ("-774b-", "-474b-"), ("-bcce-", "-ccce-"), ("result:read", "result:look"),
        ('"no-consent"', '"because"'), ('"refused"', '"maybe"'), ('"v":1', '"v":2'),
        ("operator:8c", "operator:8C"), ('"ff"', '"f"'), ('"permit":', '"permit": '),
        ("v1/en", "v1 en"), ("03" * 32, "03" * 31), ('"no-consent"', '""'), ("}", "}\n"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("vendor", VENDORS)
def test_what_is_no_entry_is_never_sound(old: str, new: str, vendor: str) -> None:
    body = BODY_OF_FULL.replace(old.encode(), new.encode())
    assert body != BODY_OF_FULL
    with pytest.raises(InvalidEntry):
        columns(ID, leaf_hash(body), body, 7)
    # Its columns agree with it as far as somebody could make them.
    row = list(row_of(BODY_OF_FULL, vendor))
    row[2:4] = leaf_hash(body), body
    row[6] = "result:look" if new == "result:look" else row[6]
    assert sound_leaf(tuple(row), 7, SPELLINGS[vendor]) is None


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("column", range(13))
def test_every_column_is_compared(vendor: str, column: int) -> None:
    row: list[Any] = list(row_of(BODY_OF_FULL, vendor))
    assert sound_leaf(tuple(row), 7, SPELLINGS[vendor])
    for other in (None, b"", "", 8, "result:reas"):
        changed = (*row[:column], other, *row[column + 1 :])
        assert sound_leaf(changed, 7, SPELLINGS[vendor]) is None
