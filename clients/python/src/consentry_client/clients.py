"""The two clients: the same methods, carried out with threads or with ``async``."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import closing
from typing import Self, TypeAlias, TypeVar
from urllib.parse import urlsplit

import anyio
import httpx

from consentry_client.asking import FIRST
from consentry_client.errors import ConnectionFailed, ConsentryError, InsecureAddress, NoKey
from consentry_client.flow import Answer, Body, Carried, Failure, Flow, Pause, Request
from consentry_client.operations import Operations
from consentry_client.retries import Retries, answered, waited
from consentry_client.version import VERSION

T = TypeVar("T")
TIMEOUT = httpx.Timeout(60.0, connect=10.0)
"""Seconds without a byte; longer than the server lets anybody wait (10)."""
THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})
DIRECTLY: dict[str, None] = {
    f"all://[{host}]" if ":" in host else f"all://{host}": None for host in THIS_MACHINE
}
"""The key goes to this machine in plain, so no proxy of the environment comes in between."""
LONGEST_KEY = 200
NOTHING_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
Page: TypeAlias = Callable[[str], Flow[tuple[tuple[T, ...], str | None]]]


class Stream(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body for either client. Files are read in small pieces, off the event loop's thread."""

    def __init__(self, body: Body) -> None:
        self.body = body

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.body)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces = iter(self.body)
        while piece := await anyio.to_thread.run_sync(next, pieces, b""):
            yield piece


def check_address(url: str) -> str:
    """The address without its last slash; raises InsecureAddress unless it is https or this machine."""
    try:
        parts = urlsplit(url)
        host, _port = httpx.URL(url).host, parts.port
        host.encode("idna")  # as who looks the name up does
    except (ValueError, httpx.InvalidURL):  # a UnicodeError is a ValueError
        host = ""
    if not host:
        raise InsecureAddress("the server's address is none; it is like https://host")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in THIS_MACHINE):
        raise InsecureAddress(
            "the server's address must begin with https:// (http:// on localhost)"
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise InsecureAddress("the server's address must be a plain one: https://host")
    return url.rstrip("/")


def check_key(key: str) -> str:
    """The key; raises NoKey for what cannot be sent as one. What it is stands in no error."""
    if not (key.isascii() and key.isprintable() and 1 <= len(key) <= LONGEST_KEY) or " " in key:
        raise NoKey("That is no key. A key begins with cns_ and was shown once.")
    return key


class Shell(Operations):
    """What both clients are made of: how a request looks on the wire."""

    def __init__(self, url: str, key: str, *, retries: Retries | None = None) -> None:
        self.url = check_address(url)
        parts = httpx.URL(self.url)
        self._host = parts.netloc.decode()  # in ASCII, whatever letters the name has
        self._origin = f"{parts.scheme}://{self._host}"
        self._key = check_key(key)
        self._retries = retries or Retries()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"  # the key is nobody's business

    def _request(self, step: Request) -> httpx.Request:
        where = self._origin if step.path.startswith("/") else f"{self.url}/api/v1/"
        headers = {
            "accept": "application/json",
            **step.headers,
            "host": self._host,
            "authorization": f"Bearer {self._key}",
            "user-agent": f"consentry-client/{VERSION}",
        }
        stream = None
        if step.body is not None:
            headers["content-length"] = str(len(step.body))
            headers.setdefault("content-type", step.body.content_type)
            stream = Stream(step.body)
        elif step.method == "POST":
            headers["content-length"] = "0"
        return httpx.Request(
            step.method,
            where + step.path,
            params=dict(step.parameters) or None,
            headers=headers,
            stream=stream,
        )

    def _steps(self, flow: Flow[T]) -> Carried[T]:
        """The flow with everything tried as often as is due."""
        with closing(flow):  # so that what it holds is let go of whenever these steps end
            try:
                step = next(flow)
                while True:
                    got: Answer | None = None
                    try:
                        if isinstance(step, Request):
                            got = yield from answered(step, self._retries)
                        elif isinstance(step, Failure):
                            yield from waited(step, self._retries)
                        else:
                            yield step
                    except ConsentryError as error:
                        step = flow.throw(error)
                    else:
                        step = flow.send(got)
            except StopIteration as end:
                returned: T = end.value
                return returned


def told(error: httpx.RequestError) -> ConnectionFailed:
    """Our own error for one of the connection; what the other says may hold the whole request."""
    return ConnectionFailed(
        f"no answer ({type(error).__name__})", nothing_sent=isinstance(error, NOTHING_SENT)
    )


def as_answer(response: httpx.Response, content: bytes) -> Answer:
    """What flows know about an answer."""
    headers: Mapping[str, str] = {name.lower(): text for name, text in response.headers.items()}
    return Answer(response.status_code, headers, content)


class Client(Shell):
    """A client that waits for each answer. Use it as a context manager, or call ``close``."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        retries: Retries | None = None,
        http: httpx.Client | None = None,
    ) -> None:
        super().__init__(url, key, retries=retries)
        self._http = http or httpx.Client(timeout=TIMEOUT, mounts=DIRECTLY)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def carry_out(self, flow: Flow[T]) -> T:
        """Carry out the steps of a flow; returns what it returns."""
        with closing(self._steps(flow)) as steps:
            try:
                step = next(steps)
                while True:
                    if isinstance(step, Pause):
                        time.sleep(step.seconds)
                        step = steps.send(None)
                        continue
                    try:
                        answer = self._send(step)
                    except httpx.RequestError as error:
                        step = steps.throw(told(error))
                    else:
                        step = steps.send(answer)
            except StopIteration as end:
                returned: T = end.value
                return returned

    def _send(self, step: Request) -> Answer:
        response = self._http.send(self._request(step), stream=True)
        try:
            if step.sink is None or response.status_code >= 400:
                return as_answer(response, response.read())
            write = step.sink()
            for piece in response.iter_bytes():
                write(piece)
            return as_answer(response, b"")
        finally:
            response.close()

    def turn_pages(self, page: Page[T]) -> Iterator[T]:
        """The rows of all pages."""
        after: str | None = FIRST
        while after is not None:
            rows, after = self.carry_out(page(after))
            yield from rows


class AsyncClient(Shell):
    """The same for ``async``, on asyncio or trio. Use it as a context manager, or call ``aclose``."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        retries: Retries | None = None,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        super().__init__(url, key, retries=retries)
        self._http = http or httpx.AsyncClient(timeout=TIMEOUT, mounts=DIRECTLY)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def carry_out(self, flow: Flow[T]) -> T:
        """Carry out the steps of a flow; returns what it returns."""
        with closing(self._steps(flow)) as steps:
            try:
                step = next(steps)
                while True:
                    if isinstance(step, Pause):
                        await anyio.sleep(step.seconds)
                        step = steps.send(None)
                        continue
                    try:
                        answer = await self._send(step)
                    except httpx.RequestError as error:
                        step = steps.throw(told(error))
                    else:
                        step = steps.send(answer)
            except StopIteration as end:
                returned: T = end.value
                return returned

    async def _send(self, step: Request) -> Answer:
        response = await self._http.send(self._request(step), stream=True)
        try:
            if step.sink is None or response.status_code >= 400:
                return as_answer(response, await response.aread())
            write = step.sink()
            async for piece in response.aiter_bytes():
                await anyio.to_thread.run_sync(write, piece)
            return as_answer(response, b"")
        finally:
            await response.aclose()

    async def turn_pages(self, page: Page[T]) -> AsyncIterator[T]:
        """The rows of all pages."""
        after: str | None = FIRST
        while after is not None:
            rows, after = await self.carry_out(page(after))
            for row in rows:
                yield row
