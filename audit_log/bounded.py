"""Reading what a stranger's server sends, however much that is."""

from __future__ import annotations

import httpx


class TooLong(Exception):
    """More came than was expected at most."""


def body_of(answer: httpx.Response, most: int) -> bytes:
    """The body of an answer that is being streamed; raises TooLong beyond ``most`` bytes, and stops."""
    found = bytearray()
    for part in answer.iter_bytes(65_536):
        found += part
        if len(found) > most:
            raise TooLong
    return bytes(found)
