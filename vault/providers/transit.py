"""Epoch keys in the Transit engine of OpenBao or HashiCorp Vault: one named key for each epoch.

The key never leaves the server, and the end of an epoch is the deletion of its key with all versions.
Keys are derived ones (``derived=true``): what a wrapped key is bound to goes in as the context, from
which the server derives the key that is used, and as associated data besides.
API: https://openbao.org/api-docs/secret/transit/

The server's own backups belong to the promise of erasure too: whoever restores its storage brings epoch
keys back. ``docs/operating.md`` says how to set the server up, and with how small a policy.
"""

from __future__ import annotations

import os
import stat
from base64 import b64decode, b64encode
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from vault.errors import InsecureKeyFile, ProviderUnavailable, RootKeyMissing, WrongRootKey

PREFIX = "consentry-"
TIMEOUT = httpx.Timeout(5, connect=2)  # seconds
BATCH = 500  # keys of one request; the server takes 32 MiB
Json = dict[str, Any]


class TransitProvider:
    """One mount of the Transit engine, used by this installation alone.

    ``token_file`` is read for every request: an agent that renews the token only writes it anew.
    """

    remote = True

    def __init__(self, url: str, token_file: Path, namespace: str = "") -> None:
        server, _, mount = url.rstrip("/").rpartition("/")
        self.token_file = token_file
        self.headers = {"X-Vault-Namespace": namespace} if namespace else {}
        self.client = httpx.Client(base_url=f"{server}/v1/{mount}/", timeout=TIMEOUT)

    def place(self, epoch_id: UUID) -> str:
        """The named key of the server, which keeps its own copies."""
        return f"{self.client.base_url}keys/{PREFIX}{epoch_id}"

    def has_keys(self) -> bool:
        """Whether the mount holds the key of any epoch."""
        answer = self.ask("GET", "keys", params={"list": "true"}, fine={404})
        return any(name.startswith(PREFIX) for name in data_of(answer).get("keys", []))

    def create(self, epoch_id: UUID) -> None:
        """Make the epoch's key; nothing happens when it exists already.

        Raises ProviderUnavailable when the mount would make a key by itself for whoever encrypts: a
        lost epoch key would be replaced without a word.
        """
        self.check()
        self.ask("POST", f"keys/{PREFIX}{epoch_id}", {"type": "aes256-gcm96", "derived": True})

    def check(self) -> None:
        """Raises ProviderUnavailable or InsecureKeyFile unless the mount answers and is set up."""
        if not data_of(self.ask("GET", "config/keys")).get("disable_upsert"):
            raise ProviderUnavailable(
                "the Transit mount makes missing keys by itself: run "
                "`bao write MOUNT/config/keys disable_upsert=true`"
            )

    def wrap(self, epoch_id: UUID, key: bytes, aad: bytes) -> bytes:
        """``key`` under the epoch's key and bound to ``aad``: the server's own text form, ASCII."""
        return self.wrapped(epoch_id, [(key, aad)])[0]

    def unwrap(self, epoch_id: UUID, wrapped: bytes, aad: bytes) -> bytes:
        """The key again; raises RootKeyMissing, or WrongRootKey when it does not open."""
        return self.unwrapped(epoch_id, [(wrapped, aad)])[0]

    def rewrap(
        self, old: UUID, new: UUID, keys: Sequence[tuple[bytes, bytes, bytes]]
    ) -> list[bytes]:
        """Wrapped keys moved from one epoch to another, and tried there.

        Two named keys: the server's own ``rewrap`` only goes from one version of a key to the next.
        """
        plain = self.unwrapped(old, [(wrapped, aad) for wrapped, aad, _ in keys])
        moved = self.wrapped(new, [(key, to) for key, (_, _, to) in zip(plain, keys, strict=True)])
        tried = self.unwrapped(new, [(m, to) for m, (_, _, to) in zip(moved, keys, strict=True)])
        if tried != plain:
            raise WrongRootKey(f"what was wrapped under epoch {new} does not open again")
        return moved

    def destroy(self, epoch_id: UUID) -> None:
        """Delete the epoch's key with all its versions, and see that it is gone."""
        path = f"keys/{PREFIX}{epoch_id}"
        self.ask("POST", f"{path}/config", {"deletion_allowed": True}, fine={400, 404})
        self.ask("DELETE", path, fine={400, 404})
        if self.has(epoch_id):
            raise ProviderUnavailable(f"the server still has the key of epoch {epoch_id}")

    def has(self, epoch_id: UUID) -> bool:
        """Whether the server has this epoch's key."""
        return self.ask("GET", f"keys/{PREFIX}{epoch_id}", fine={404}).is_success

    def wrapped(self, epoch_id: UUID, keys: Sequence[tuple[bytes, bytes]]) -> list[bytes]:
        """Keys under the epoch's key, each bound to its own AAD."""
        fields = [{"plaintext": text(key), **bound_to(aad)} for key, aad in keys]
        answers = self.batch("encrypt", epoch_id, fields)
        return [answer["ciphertext"].encode("ascii") for answer in answers]

    def unwrapped(self, epoch_id: UUID, keys: Sequence[tuple[bytes, bytes]]) -> list[bytes]:
        """The keys again; raises WrongRootKey when one does not open."""
        fields = [
            {"ciphertext": wrapped.decode("ascii", "replace"), **bound_to(aad)}
            for wrapped, aad in keys
        ]
        return [
            b64decode(answer["plaintext"]) for answer in self.batch("decrypt", epoch_id, fields)
        ]

    def batch(self, verb: str, epoch_id: UUID, fields: Sequence[Json]) -> list[Json]:
        """The server's answers in the same order; one that failed fails the whole."""
        found: list[Json] = []
        for start in range(0, len(fields), BATCH):
            body = {"batch_input": fields[start : start + BATCH]}
            answer = self.ask("POST", f"{verb}/{PREFIX}{epoch_id}", body, fine={400, 403})
            # To encrypt under a key that is missing would make one, which a small policy forbids.
            if not answer.is_success and not self.has(epoch_id):
                raise RootKeyMissing(f"the key of epoch {epoch_id} is not on the Transit server")
            if answer.status_code == 403:
                raise ProviderUnavailable("the Transit server refuses to use keys (403)")
            results = data_of(answer).get("batch_results", [])
            if answer.is_success and len(results) != len(body["batch_input"]):
                raise ProviderUnavailable("the Transit server did not answer for every key")
            if answer.status_code == 400 or any(each.get("error") for each in results):
                raise WrongRootKey(
                    f"a key does not open under epoch {epoch_id}: the server's key or the row in "
                    "the keystore is not the one it was wrapped with"
                )
            found += results
        return found

    def ask(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        params: dict[str, str] | None = None,
        fine: Collection[int] = (),
    ) -> httpx.Response:
        """One request; raises ProviderUnavailable for everything but success and ``fine`` ones."""
        headers = self.headers | {"X-Vault-Token": self.token()}
        try:
            answer = self.client.request(method, path, json=body, params=params, headers=headers)
        except httpx.HTTPError as error:
            raise ProviderUnavailable(
                f"the Transit server does not answer: {type(error).__name__}"
            ) from None
        if answer.is_success or answer.status_code in fine:
            return answer
        said = {403: "refuses the token", 503: "is sealed", 429: "is a standby or busy"}
        raise ProviderUnavailable(
            f"the Transit server {said.get(answer.status_code, 'answers')} ({answer.status_code})"
        )

    def token(self) -> str:
        """The token as it is now; raises ProviderUnavailable or InsecureKeyFile."""
        try:
            handle = os.open(self.token_file, os.O_RDONLY)
        except OSError as error:
            raise ProviderUnavailable(
                f"the token of the Transit server cannot be read: {self.token_file} ({error.strerror})"
            ) from None
        with os.fdopen(handle) as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & 0o077:
                raise InsecureKeyFile(
                    f"{self.token_file} has mode {mode:04o}; expected 0600 "
                    f"(chmod 600 {self.token_file})"
                )
            return file.read().strip()


def text(value: bytes) -> str:
    """Base64, as the server's JSON wants bytes."""
    return b64encode(value).decode("ascii")


def bound_to(aad: bytes) -> Json:
    """The two fields that bind a wrapped key to its place."""
    return {"context": text(aad), "associated_data": text(aad)}


def data_of(answer: httpx.Response) -> Json:
    """What the server said, without its envelope. Raises ProviderUnavailable for another's answer."""
    try:
        found: Json = (answer.json() if answer.content else {}).get("data") or {}
    except (ValueError, AttributeError):  # no JSON, or no object
        raise ProviderUnavailable("what answers for the Transit server speaks no JSON") from None
    return found
