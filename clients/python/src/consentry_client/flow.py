"""The core that does no input or output: what the client does, as generators of steps.

A flow yields a ``Request`` and is sent its ``Answer`` (or has an error of ``errors`` thrown into it), or
yields a ``Pause`` or a ``Failure`` and is sent None. It returns what its caller asked for. ``clients`` has
the two shells that carry steps out, with threads and with ``async``; nothing else is written twice.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from consentry_client.errors import ApiError, ConnectionFailed

T = TypeVar("T")


class Body(ABC):
    """What a request carries, given anew for each try."""

    content_type = "application/octet-stream"

    @abstractmethod
    def __len__(self) -> int:
        """The number of bytes."""

    @abstractmethod
    def __iter__(self) -> Iterator[bytes]:
        """The bytes, from the beginning."""


@dataclass(frozen=True)
class Bytes(Body):
    """A small body."""

    data: bytes
    content_type: str = "application/json"

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[bytes]:
        yield self.data


@dataclass(frozen=True)
class Request:
    """One request.

    Fields:
        path: relative to ``/api/v1/``, or with a leading slash as an answer of the server named it.
        safe_to_repeat: whether a second one changes nothing that the first has not.
        sink: takes the bytes of a good answer instead of memory; called before each try.
    """

    method: str
    path: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body | None = None
    safe_to_repeat: bool = True
    sink: Callable[[], Callable[[bytes], object]] | None = None


@dataclass(frozen=True)
class Answer:
    """What came back; header names are in small letters."""

    status: int
    headers: Mapping[str, str]
    content: bytes


@dataclass(frozen=True)
class Pause:
    """Wait before the next step."""

    seconds: float


@dataclass(frozen=True)
class Failure:
    """Something failed for the ``number``-th time running, and the flow would try again.

    The client waits as its ``Retries`` say and goes on, or throws ``error`` back when enough was tried.
    """

    error: ConnectionFailed | ApiError
    number: int


Step: TypeAlias = Request | Pause | Failure
Flow: TypeAlias = Generator[Step, Any, T]
Carried: TypeAlias = Generator[Request | Pause, Any, T]
"""A flow with its retries: what is left is to send and to wait."""
