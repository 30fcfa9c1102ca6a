"""Descriptors that make one generator function a method of both clients.

Of a ``Client`` the method returns what the flow returns; of an ``AsyncClient`` it can be awaited for it.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from consentry_client.flow import Flow

if TYPE_CHECKING:
    from consentry_client.clients import AsyncClient, Client

P = ParamSpec("P")
T = TypeVar("T")


class Operation(Generic[P, T]):
    """One flow as a method."""

    def __init__(self, flow: Callable[P, Flow[T]]) -> None:
        self.flow = flow
        self.__doc__ = flow.__doc__

    @overload
    def __get__(self, client: Client, owner: object = None) -> Callable[P, T]: ...
    @overload
    def __get__(self, client: AsyncClient, owner: object = None) -> Callable[P, Awaitable[T]]: ...
    @overload
    def __get__(self, client: None, owner: object = None) -> Operation[P, T]: ...
    def __get__(self, client: Any, owner: object = None) -> Any:
        if client is None:
            return self

        @functools.wraps(self.flow)
        def call(*args: P.args, **kwargs: P.kwargs) -> Any:
            return client.carry_out(self.flow(*args, **kwargs))

        return call


class Listing(Generic[P, T]):
    """One list as a method: the rows of all pages, each page asked for when it is needed.

    ``flow`` takes the path of the next page first, empty for the first page, and returns the rows with the
    path of the page after it.
    """

    def __init__(
        self, flow: Callable[Concatenate[str, P], Flow[tuple[tuple[T, ...], str | None]]]
    ) -> None:
        self.flow = flow
        self.__doc__ = flow.__doc__

    @overload
    def __get__(self, client: Client, owner: object = None) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(
        self, client: AsyncClient, owner: object = None
    ) -> Callable[P, AsyncIterator[T]]: ...
    @overload
    def __get__(self, client: None, owner: object = None) -> Listing[P, T]: ...
    def __get__(self, client: Any, owner: object = None) -> Any:
        if client is None:
            return self

        def call(*args: P.args, **kwargs: P.kwargs) -> Any:
            return client.turn_pages(lambda page: self.flow(page, *args, **kwargs))

        call.__doc__, call.__name__ = self.__doc__, self.flow.__name__
        return call
