"""Erasing copies: what is asked of you, and saying that it is done."""

from __future__ import annotations

from consentry_client.asking import Id, ask, one
from consentry_client.flow import Flow, Request
from consentry_client.models import Erasure


def erasures() -> Flow[tuple[Erasure, ...]]:
    """The erasures that you have not acknowledged, oldest first, at most 100: then ask again."""
    return ask(tuple[Erasure, ...], Request("GET", "erasures/"))


def acknowledge_erasure(id: Id) -> Flow[Erasure]:
    """Say that every copy that you had is erased. The person sees it; again changes nothing."""
    return ask(Erasure, Request("POST", f"erasures/{one(id)}/acknowledge/"))
