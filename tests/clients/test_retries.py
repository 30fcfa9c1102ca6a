"""When the client asks again, against a server that fails on purpose."""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from traceback import format_exception
from typing import Any
from uuid import UUID

import httpx
import pytest

from consentry_client import (
    ApiError,
    AsyncClient,
    Client,
    ConnectionFailed,
    GaveUpWaiting,
    InsecureAddress,
    Invalid,
    NoKey,
    NotAuthenticated,
    NotFound,
    Throttled,
    Unavailable,
    UnexpectedAnswer,
)
from consentry_client.answers import retry_after
from consentry_client.retries import Retries
from tests.clients.failing_server import Failing, Reply, failing_server, problem

ID = UUID(int=7)
QUICK = Retries(first_pause=0.01)
CONSENT = {
    "id": str(ID),
    "purpose": str(ID),
    "status": "given",
    "categories": ["media"],
    "valid_until": None,
    "changed_at": "2026-11-23T00:09:48.168772Z",
}
ASKED = CONSENT | {
    "asked_at": None,
    "letter_sent_at": None,
    "link_until": None,
    "letters_left": 3,
    "next_letter_not_before": None,
}
KEY = {
    "prefix": "c",
    "created_at": "2026-11-23T00:09:48Z",
    "expires_at": "2026-11-24T00:09:48Z",
    "last_used_at": None,
    "current": False,
    "key": "cns_c_new",
}
RECORDING = {
    "id": str(ID),
    "url": "http://127.0.0.1/",
    "subject": None,
    "media_type": "image/jpeg",
    "seconds": None,
    "media_state": "stored",
    "created_at": "2026-11-23T00:09:48Z",
    "retain_until": "2026-11-23T00:09:48Z",
    "disputed_at": None,
    "erased_at": None,
    "analyses": [],
}
ANALYSIS = {
    "id": str(ID),
    "url": "http://127.0.0.1/",
    "recording": str(ID),
    "state": "running",
    "reason": "",
    "queued_at": "2026-11-23T00:09:48Z",
    "finished_at": None,
    "media_code": "",
    "progress": 0.5,
    "expected_at": None,
    "categories": [],
}
GOOD = Reply(200, CONSENT)


@pytest.fixture
def server() -> Iterator[Failing]:
    with failing_server() as running:
        yield running


@pytest.fixture
def client(server: Failing) -> Iterator[Client]:
    with Client(server.url, "cns_a_secret", retries=QUICK) as made:
        yield made


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_passes_is_asked_again(server: Failing, client: Client, status: int) -> None:
    server.will(problem(status, "passing"), problem(status, "passing"), GOOD)
    assert client.subject(ID).status == "given"
    assert len(server.asked) == 3


def test_a_broken_connection_is_asked_again(server: Failing, client: Client) -> None:
    server.will(Reply(hang_up=True), Reply(hang_up=True), GOOD)
    assert client.subject(ID).id == ID
    assert len(server.asked) == 3


def test_it_gives_up(server: Failing, client: Client) -> None:
    server.will(Reply(hang_up=True))
    with pytest.raises(ConnectionFailed):
        client.subject(ID)
    server.will(problem(503, "log-unavailable"))
    with pytest.raises(Unavailable) as caught:
        client.subject(ID)
    assert (caught.value.code, len(server.asked)) == ("log-unavailable", 10)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 413, 415, 422, 500, 507])
def test_a_refusal_is_final(server: Failing, client: Client, status: int) -> None:
    server.will(problem(status, "no"), GOOD)
    with pytest.raises(ApiError) as caught:
        client.subject(ID)
    assert (caught.value.status, caught.value.code, len(server.asked)) == (status, "no", 1)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_no_answer_and_not_followed(
    server: Failing, client: Client, status: int
) -> None:
    server.will(Reply(status, headers={"Location": f"{server.url}/elsewhere"}))
    with pytest.raises(UnexpectedAnswer, match=str(status)):
        client.revoke_key("abc")  # whose good answer has nothing that could be missed
    assert len(server.asked) == 1


def test_retry_after_is_waited_for(server: Failing, client: Client) -> None:
    server.will(problem(503, "busy", Retry_After="1"), GOOD)
    began = time.monotonic()
    client.subject(ID)
    assert time.monotonic() - began >= 1


def test_more_patience_than_is_there_is_not_had(server: Failing, client: Client) -> None:
    server.will(problem(429, "throttled", Retry_After="3600"), GOOD)
    with pytest.raises(Throttled) as caught:
        client.subject(ID)
    assert (caught.value.retry_after, len(server.asked)) == (3600, 1)


def test_retry_after_may_be_a_date_and_may_be_nonsense() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    assert 80 < (retry_after({"retry-after": later}) or 0) <= 90
    earlier = format_datetime(datetime.now(UTC) - timedelta(seconds=90), usegmt=True)
    assert retry_after({"retry-after": earlier}) == 0
    for nonsense in ("", "soon", "-1", "1.5", "²"):
        assert retry_after({"retry-after": nonsense}) is None


def test_an_analysis_is_waited_for_no_longer_than_was_said(server: Failing, client: Client) -> None:
    server.will(Reply(200, ANALYSIS))
    began = time.monotonic()
    with pytest.raises(GaveUpWaiting):
        client.wait_for_analysis(ID, timeout=0.2)
    assert time.monotonic() - began < 5
    assert [each.headers.get("prefer") for each in server.asked] == ["wait=1", None]


def test_a_time_without_its_zone_is_asked_of_nobody(server: Failing, client: Client) -> None:
    with pytest.raises(ValueError, match="time zone"):
        client.make_key(expires_at=datetime(2027, 1, 1))  # noqa: DTZ001  # that is the mistake
    assert not server.asked


def test_what_is_not_safe_is_not_repeated_when_it_may_have_arrived(
    server: Failing, client: Client
) -> None:
    server.will(Reply(hang_up=True), Reply(201, KEY))
    with pytest.raises(ConnectionFailed):
        client.make_key()
    server.will(problem(503, "database-unavailable"), Reply(201, KEY))
    with pytest.raises(Unavailable):
        client.make_key()
    assert len(server.asked) == 2


def test_what_is_not_safe_is_repeated_when_it_certainly_did_nothing(
    server: Failing, client: Client
) -> None:
    server.will(problem(429, "throttled"), Reply(201, KEY))
    made = client.make_key()
    assert (made.key, len(server.asked)) == ("cns_c_new", 2)
    assert "cns_c_new" not in repr(made)


def test_asking_for_consent_is_repeated_under_one_key(server: Failing, client: Client) -> None:
    server.will(Reply(hang_up=True), problem(503, "busy"), Reply(201, ASKED))
    assert client.request_consent("P-001").letters_left == 3
    keys = {each.headers["idempotency-key"] for each in server.asked}
    assert (len(server.asked), len(keys)) == (3, 1)


def test_no_server_at_all_is_tried_again_whatever_is_asked() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        numbers: list[int] = []
        counting = replace(QUICK, chance=lambda: numbers.append(1) or 0.0)
        client = Client(address, "cns_a_b", retries=counting)
        with client, pytest.raises(ConnectionFailed) as caught:
            client.make_key()
        assert caught.value.nothing_sent
        assert len(numbers) == 4


def test_an_upload_is_repeated_whole_under_one_key(
    server: Failing, client: Client, tmp_path: Path
) -> None:
    file = tmp_path / "P-001 Anna.jpg"
    file.write_bytes(secrets.token_bytes(300_000))
    server.will(
        Reply(hang_up=True),
        problem(409, "idempotency-in-progress"),
        problem(503, "busy"),
        Reply(202, RECORDING),
    )
    seen: list[tuple[int, int]] = []
    found = client.upload(
        file, subject="P-001", purpose=ID, progress=lambda *each: seen.append(each)
    )
    assert found.id == ID
    first, *others = server.asked
    assert len(others) == 3
    assert file.read_bytes() in first.body
    assert b"Anna" not in first.body
    assert all(each.body == first.body for each in others)
    keys = {each.headers["idempotency-key"] for each in server.asked}
    assert len(keys) == 1
    assert 20 <= len(keys.pop()) <= 128
    assert seen[-1] == (300_000, 300_000)


def test_async_does_the_same(server: Failing, tmp_path: Path) -> None:
    file = tmp_path / "a.jpg"
    file.write_bytes(secrets.token_bytes(300_000))
    server.will(
        problem(503, "busy"),
        Reply(hang_up=True),
        Reply(202, RECORDING),
        GOOD,
        problem(404, "not-found"),
    )

    async def walk() -> None:
        async with AsyncClient(server.url, "cns_a_secret", retries=QUICK) as client:
            assert (await client.upload(file, subject="P-001", purpose=ID)).id == ID
            assert (await client.subject(ID)).status == "given"
            with pytest.raises(NotFound):
                await client.subject(ID)

    asyncio.run(walk())
    assert len(server.asked) == 5
    assert all(file.read_bytes() in each.body for each in server.asked[:3])


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "text",
        {},
        CONSENT | {"id": "7"},
        CONSENT | {"id": None},
        CONSENT | {"status": 1},
        CONSENT | {"categories": "media"},
        CONSENT | {"changed_at": "yesterday"},
        {name: value for name, value in CONSENT.items() if name != "valid_until"},
    ],
)
def test_another_answer_than_ours_is_an_error_of_its_own(
    server: Failing, client: Client, body: Any
) -> None:
    server.will(Reply(200, body))
    with pytest.raises(UnexpectedAnswer):
        client.subject(ID)


@pytest.mark.parametrize(("status", "error"), [(200, UnexpectedAnswer), (404, ApiError)])
def test_an_answer_that_is_nested_without_end_is_an_error_too(
    server: Failing, client: Client, status: int, error: type[Exception]
) -> None:
    server.will(Reply(status, b"[" * 20_000))
    with pytest.raises(error):
        client.subject(ID)


def test_what_a_newer_server_adds_is_left_aside(server: Failing, client: Client) -> None:
    server.will(Reply(200, CONSENT | {"status": "thinking", "mood": {"new": True}}))
    assert client.subject(ID).status == "thinking"


@pytest.mark.parametrize(
    "reply",
    [Reply(502, None), Reply(400, "text"), Reply(422, {"errors": 5}), Reply(403, {"errors": [1]})],
)
def test_an_error_of_something_else_is_told_as_one(
    server: Failing, client: Client, reply: Reply
) -> None:
    server.will(reply)
    with pytest.raises(ApiError, match="unknown"):
        client.subject(ID)


def test_wrong_fields_are_named(server: Failing, client: Client) -> None:
    wrong = problem(422, "invalid")
    wrong.body["errors"] = [{"pointer": "/email", "detail": "Enter a valid email address."}]
    server.will(wrong)
    with pytest.raises(Invalid, match="/email: Enter a valid") as caught:
        client.request_consent("P-001", email="x")
    assert caught.value.errors[0].pointer == "/email"


def test_the_key_goes_into_one_header_and_nowhere_else(server: Failing, client: Client) -> None:
    server.will(problem(401, "invalid-key"))
    with pytest.raises(NotAuthenticated) as caught:
        client.subject(ID)
    asked = server.asked[0]
    assert asked.headers.pop("authorization") == "Bearer cns_a_secret"
    assert "secret" not in f"{asked.headers} {asked.path} {client!r} {caught.value!r}"


@pytest.mark.parametrize(
    "url",
    [
        "http://consentry.example.org",
        "consentry.example.org",
        "ftp://localhost",
        "http://localhost.example.org",
        "https://user:word@consentry.example.org",
        "https://consentry.example.org/?key=1",
        "",
        "https://",
        "https://[bad",
        "https://a..b",
        "https://xn--a",
        "https://localhost:99999",
        "https://localhost\r",
    ],
)
def test_an_address_that_would_show_the_key_is_refused(url: str) -> None:
    with pytest.raises(InsecureAddress):
        Client(url, "cns_a_b")


@pytest.mark.parametrize("key", ["", "cns_a_secret\r", "cns_a_schlüssel", "cns a", "x" * 201])
def test_what_cannot_be_a_key_is_sent_nowhere_and_stands_in_no_error(
    server: Failing, key: str
) -> None:
    for kind in (Client, AsyncClient):
        with pytest.raises(NoKey) as caught:
            kind(server.url, key)
        assert "secret" not in "".join(format_exception(caught.value))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_no_proxy_sees_the_key_on_its_way_to_this_machine(
    server: Failing, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", server.url)
    server.will(GOOD)
    once = Retries(tries=1)
    with (
        Client(f"http://{host}:9", "cns_a_secret", retries=once) as client,
        pytest.raises(ConnectionFailed),
    ):
        client.subject(ID)

    async def walk() -> None:
        async with AsyncClient(f"http://{host}:9", "cns_a_secret", retries=once) as client:
            await client.subject(ID)

    with pytest.raises(ConnectionFailed):
        asyncio.run(walk())
    assert not server.asked


def test_a_name_in_any_letters_is_asked_in_those_of_addresses() -> None:
    asked: list[httpx.Request] = []
    answering = httpx.MockTransport(
        lambda request: asked.append(request) or httpx.Response(200, json=CONSENT)
    )
    with Client("https://Ünal.example", "cns_a_b", http=httpx.Client(transport=answering)) as made:
        made.subject(ID)
    assert asked[0].headers["host"] == "xn--nal-goa.example"


@pytest.mark.parametrize("next", ["https://[bad", "/api/v1/subjects/\r\n?cursor=a"])
def test_an_answer_that_names_no_address_is_none_of_ours(
    server: Failing, client: Client, next: str
) -> None:
    server.will(Reply(200, {"results": [], "next": next}))
    with pytest.raises(UnexpectedAnswer, match="address"):
        list(client.subjects())


def test_an_analysis_is_waited_for_as_long_as_it_takes(server: Failing, client: Client) -> None:
    server.will(Reply(200, ANALYSIS | {"state": "done"}))
    assert client.wait_for_analysis(ID, timeout=float("inf")).state == "done"
    assert server.asked[0].headers["prefer"] == "wait=10"


def test_an_id_that_is_none_never_becomes_an_address(client: Client, server: Failing) -> None:
    with pytest.raises(ValueError, match="UUID"):
        client.subject("../../log-entries")
    assert not server.asked
