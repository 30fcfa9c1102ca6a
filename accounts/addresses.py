"""Absolute addresses in answers of the API: looked up once for each kind of thing, not for each row."""

from __future__ import annotations

from functools import cache
from uuid import UUID

from django.urls import get_script_prefix, reverse
from rest_framework.request import Request

PLACE = UUID(int=0)


@cache
def around(name: str, prefix: str) -> tuple[str, str]:
    """What stands before and after the id in an address of this name.

    prefix: the folder that the server is on. Django puts it before by itself; here it keeps answers apart.
    """
    before, _id, after = reverse(name, args=[PLACE]).partition(str(PLACE))
    return before, after


def address(request: Request, name: str, id: UUID) -> str:
    """Where the thing with this id is found, on the host that the request came to."""
    before, after = around(name, get_script_prefix())
    return request.build_absolute_uri(f"{before}{id}{after}")
