import json
import uuid
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from audit_log.actions import Action, Outcome, ReasonCode
from audit_log.entries import MAX_BODY, Draft, Entry, parse
from audit_log.errors import InvalidEntry

ID = uuid.UUID("01890a5d-ac96-774b-bcce-b302099a8057")
TIME = datetime(2026, 5, 4, 3, 2, 1, 42, tzinfo=UTC)
FULL = Draft(
    action=Action.RESULT_READ,
    actor="operator:8c9f4a52-3a4e-4f39-8f0a-0f3b6f1f9f10",
    outcome=Outcome.REFUSED,
    reason=ReasonCode.NO_CONSENT,
    purpose_id=uuid.UUID("11111111-2222-3333-4444-555555555555"),
    subject_tag=b"\x01" * 32,
    consent_tag=b"\x02" * 32,
    object_tag=b"\x03" * 32,
    policy_version="v1/en",
    permit_id=uuid.UUID("66666666-7777-8888-9999-aaaaaaaaaaaa"),
    detail=b"\xff",
)
tags = st.one_of(st.just(b""), st.binary(min_size=32, max_size=32))
drafts = st.builds(
    Draft,
    action=st.sampled_from(Action),
    actor=st.one_of(
        st.builds("operator:{}".format, st.uuids()),
        st.builds("client:{}".format, st.uuids()),
        st.builds(lambda tag: f"subject:{tag.hex()}", st.binary(min_size=32, max_size=32)),
        st.sampled_from(["anonymous", "system:keeper", "system:worker-2"]),
    ),
    outcome=st.sampled_from(Outcome),
    reason=st.one_of(st.none(), st.sampled_from(ReasonCode)),
    purpose_id=st.one_of(st.none(), st.uuids()),
    subject_tag=tags,
    consent_tag=tags,
    object_tag=tags,
    policy_version=st.sampled_from(["", "1", "0189-a", "v1.2/en"]),
    permit_id=st.one_of(st.none(), st.uuids()),
    detail=st.binary(max_size=200),
)


def test_canonical_bytes_are_exactly_these() -> None:
    assert Entry(id=ID, time=TIME, draft=FULL).canonical() == (
        b'{"action":"result:read","actor":"operator:8c9f4a52-3a4e-4f39-8f0a-0f3b6f1f9f10",'
        b'"consent":"' + b"02" * 32 + b'","detail":"ff",'
        b'"id":"01890a5d-ac96-774b-bcce-b302099a8057","object":"' + b"03" * 32 + b'",'
        b'"outcome":"refused","permit":"66666666-7777-8888-9999-aaaaaaaaaaaa","policy":"v1/en",'
        b'"purpose":"11111111-2222-3333-4444-555555555555","reason":"no-consent",'
        b'"subject":"' + b"01" * 32 + b'","time":"2026-05-04T03:02:01.000042Z","v":1}'
    )


def test_time_is_written_in_utc() -> None:
    elsewhere = TIME.astimezone(timezone(timedelta(hours=8)))
    draft = Draft(action=Action.LOG_START, actor="system:keeper")
    assert (
        Entry(id=ID, time=elsewhere, draft=draft).canonical()
        == Entry(id=ID, time=TIME, draft=draft).canonical()
    )


@given(draft=drafts, time=st.integers(0, 10**16).map(lambda us: TIME + timedelta(microseconds=us)))
def test_parse_reads_what_canonical_writes(draft: Draft, time: datetime) -> None:
    entry = Entry(id=uuid7(), time=time, draft=draft)
    assert parse(entry.canonical()) == entry


@pytest.mark.parametrize(
    "actor",
    [
        "",
        "operator",
        "operator:",
        "operator:alice@example.org",
        "operator:8C9F4A52-3A4E-4F39-8F0A-0F3B6F1F9F10",
        "operator:8c9f4a52-3a4e-4f39-8f0a-0f3b6f1f9f10\n",
        "subject:abc",
        "subject:" + "g" * 64,
        "system:Alice Smith",
        "system:",
        "anonymous:1",
        "person:1",
    ],
)
def test_actor_of_another_form_is_refused(actor: str) -> None:
    with pytest.raises(InvalidEntry, match="actor"):
        Draft(action=Action.LOG_READ, actor=actor)


@pytest.mark.parametrize("name", ["subject_tag", "consent_tag", "object_tag"])
@pytest.mark.parametrize("length", [1, 31, 33, 64])
def test_tag_of_another_length_is_refused(name: str, length: int) -> None:
    with pytest.raises(InvalidEntry, match=name):
        Draft(action=Action.LOG_READ, actor="anonymous", **{name: b"x" * length})


@pytest.mark.parametrize("version", ["a b", "é", "x" * 101, "-1", "1\n"])
def test_free_text_as_policy_version_is_refused(version: str) -> None:
    with pytest.raises(InvalidEntry, match="policy version"):
        Draft(action=Action.LOG_READ, actor="anonymous", policy_version=version)


def test_entry_too_long_for_a_tile_is_refused() -> None:
    draft = Draft(action=Action.LOG_READ, actor="anonymous", detail=b"x" * MAX_BODY)
    with pytest.raises(InvalidEntry, match="at most"):
        Entry(id=ID, time=TIME, draft=draft).canonical()


def changed(**changes: object) -> bytes:
    fields = json.loads(Entry(id=ID, time=TIME, draft=FULL).canonical()) | changes
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b"1",
        b"[" * 100_000,
        changed(v=2),
        changed(v=True),
        changed(id=str(uuid.UUID(int=0x0000_0000_0000_4000_8000_0000_0000_0000))),
        changed(id=ID.hex),
        changed(id=7),
        changed(action="result:delete"),
        changed(outcome="maybe"),
        changed(reason=""),
        changed(reason="because"),
        changed(time="2026-05-04T03:02:01Z"),
        changed(time="2026-05-04T03:02:01.1Z"),
        changed(subject="0A" * 32),
        changed(subject="01 " * 32),
        changed(actor=None),
        changed(extra=1),
        changed() + b"\n",
        changed().replace(b'"v":1', b'"v":1,"v":1'),
        changed().replace(b'"v":1', b'"v": 1'),
        changed().replace(b"read", b"re\\u0061d"),
    ],
)
def test_bytes_that_we_would_not_write_are_refused(body: bytes) -> None:
    with pytest.raises(InvalidEntry):
        parse(body)
