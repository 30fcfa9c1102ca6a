"""Root providers: where epoch keys exist, and the only place where they do.

An epoch key is one destroyable thing (a file, a named key of a server) that is never in a database or in
its backup. A provider never hands the key out: it wraps, unwraps and moves with it.

To hold epoch keys anywhere else (a cloud's key service, a hardware module), write the methods of
``Provider`` and name it in ``configured``; ``tests/vault/test_providers.py`` runs the same tests over
every provider.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from django.conf import settings

from vault.providers.file import FileProvider

if TYPE_CHECKING:
    from vault.providers.transit import TransitProvider


class Provider(Protocol):
    """What the vault asks of whatever holds epoch keys.

    ``wrap``, ``unwrap``, ``rewrap`` and ``destroy`` use keys; ``create`` and ``has_keys`` are needed once
    in an epoch's and once in an installation's life. Each raises ProviderUnavailable when it cannot say.
    ``remote``: whether it is asked over a network, so that opened keys are remembered for a minute.
    """

    remote: bool

    def has_keys(self) -> bool:
        """Whether it holds the key of any epoch."""

    def place(self, epoch_id: UUID) -> str:
        """Where the epoch's key lies, for whoever must copy it or keep it."""

    def create(self, epoch_id: UUID) -> None:
        """Make the epoch's key, durably; nothing happens when it exists already."""

    def wrap(self, epoch_id: UUID, key: bytes, aad: bytes) -> bytes:
        """``key`` encrypted under the epoch's key and bound to ``aad``; raises RootKeyMissing."""

    def unwrap(self, epoch_id: UUID, wrapped: bytes, aad: bytes) -> bytes:
        """The key again; raises RootKeyMissing, or WrongRootKey when it does not open."""

    def rewrap(
        self, old: UUID, new: UUID, keys: Sequence[tuple[bytes, bytes, bytes]]
    ) -> list[bytes]:
        """Keys moved to another epoch: of each the wrapped bytes, its AAD there and its AAD here.

        Every new wrap has been opened again before it is handed out. Raises what ``unwrap`` raises.
        """

    def destroy(self, epoch_id: UUID) -> None:
        """Destroy the epoch's key for ever; nothing happens when it is gone already."""


def configured() -> Provider:
    """The provider that this installation uses."""
    if settings.TRANSIT_URL:
        return key_server(
            settings.TRANSIT_URL, settings.TRANSIT_TOKEN_FILE, settings.TRANSIT_NAMESPACE
        )
    return FileProvider(settings.KEYS_DIR / "epochs")


@cache
def key_server(url: str, token_file: Path, namespace: str) -> TransitProvider:
    """One provider, and with it one pool of connections, for each process."""
    from vault.providers.transit import TransitProvider  # its client takes a tenth of a start

    return TransitProvider(url, token_file, namespace)


# A forked process must not speak on its parent's connections.
os.register_at_fork(after_in_child=key_server.cache_clear)
