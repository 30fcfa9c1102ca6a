"""Verifying a log at its address, as anybody can, or with an auditor's token from its entries."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from audit_log import signing
from audit_log.bounded import TooLong, body_of
from audit_log.checkpoint import Checkpoint, InvalidNote, VerifierKey, verify
from audit_log.errors import ExportInvalid
from audit_log.merkle import leaf_hash
from audit_log.tile_check import Progress, Reader, bundled_entries, leaf_hashes, verify_tiles

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
MOST = 256 * (2 + 65_535)  # bytes of the largest bundle
GIVEN = re.compile(r"(\S+)(?: from=([0-9]{1,19})(?: to=([0-9]{1,19}))?)?")
"""A key as it is given: alone, or as the log publishes it with the first and last size that it signs."""


@dataclass(frozen=True)
class Remote:
    """Where a log is, what opens its entries, and the keys that it must be signed with (``GIVEN``).

    Of several each says which sizes it signs: else one that was stolen and ended would go on convincing.
    Without keys it must be this installation's own log.
    """

    url: str
    token: str = ""
    keys: Sequence[str] = ()

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
        except ValueError:  # a bracket without its other
            parts = urlsplit("")
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ExportInvalid(f"expected https://HOST/log; got {self.url!r}")
        if self.token and parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise ExportInvalid("a token is sent over https only")


def verify_remote(
    remote: Remote,
    progress: Progress = lambda done, total: None,
    client: httpx.Client | None = None,
) -> Checkpoint:
    """Recompute the root from the entries, or without a token from the leaf hashes; compare every tile.

    Raises ExportInvalid at the first thing that does not fit or does not come.
    """
    with client or httpx.Client(timeout=30) as browser:
        read = fetcher(browser, remote)
        tree = signed_tree(read("checkpoint"), remote.keys)
        if remote.token:
            entries = bundled_entries(read, 0, tree.size)
            verify_tiles(read, tree, (leaf_hash(body) for body in entries), progress)
        else:
            verify_tiles(read, tree, leaf_hashes(read, tree.size), progress)
    return tree


def signed_tree(note: bytes, keys: Sequence[str]) -> Checkpoint:
    """The checkpoint, once one of the keys has signed it; without keys by this log's own history."""
    try:
        text = note.decode()
        if not keys:
            return signing.key_history().verify(text)
        wanted = [sized(key, alone=len(keys) == 1) for key in keys]
        right, first, last = next((each for each in wanted if is_signed(text, each[0])), wanted[0])
        tree = verify(text, right)
    except (UnicodeDecodeError, InvalidNote) as error:
        raise ExportInvalid(f"checkpoint: {error}") from None
    if tree.size < first or (last is not None and tree.size > last):
        raise ExportInvalid(
            f"checkpoint: {right.name} at size {tree.size}, which its key signs no more"
        )
    return tree


def sized(given: str, *, alone: bool) -> tuple[VerifierKey, int, int | None]:
    """A key and the tree sizes that it may sign, the first and the last.

    Raises InvalidNote for what is no key, and ExportInvalid where it should say its sizes.
    """
    found = GIVEN.fullmatch(given)
    if found is None:
        raise InvalidNote("a key looks like NAME+HASH+KEY or like 'NAME+HASH+KEY from=N to=M'")
    key, first, last = found.groups()
    if first is None and not alone:
        raise ExportInvalid("of several keys each must say which sizes it signs: 'KEY from=N to=M'")
    return VerifierKey.parse(key), int(first or 0), int(last) if last else None


def is_signed(text: str, key: VerifierKey) -> bool:
    """Whether this key signed the note under its own origin."""
    try:
        verify(text, key)
    except InvalidNote:
        return False
    return True


def fetcher(browser: httpx.Client, remote: Remote) -> Reader:
    """Fetches what lies below the log's address. Only entry bundles are asked for with the token."""
    base = remote.url.rstrip("/")

    def read(path: str) -> bytes:
        secret = remote.token and path.startswith("tile/entries/")
        headers = {"Authorization": f"Bearer {remote.token}"} if secret else {}
        try:
            with browser.stream("GET", f"{base}/{path}", headers=headers) as answer:
                if answer.status_code != httpx.codes.OK:
                    raise ExportInvalid(f"{base}/{path}: the answer is {answer.status_code}")
                return body_of(answer, MOST)
        except httpx.HTTPError as error:
            raise ExportInvalid(f"{base}/{path}: {type(error).__name__}") from None
        except TooLong:
            raise ExportInvalid(f"{base}/{path}: more than {MOST} bytes") from None

    return read
