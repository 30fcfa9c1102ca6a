"""Root providers: where epoch keys exist, and the only place where they do.

An epoch key is one destroyable thing (a file, a key version) that is never in a database or in its
backup. A provider never hands the key out: it wraps and unwraps with it.
"""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from django.conf import settings

from vault.providers.file import FileProvider


class Provider(Protocol):
    """What the vault asks of whatever holds epoch keys."""

    def has_keys(self) -> bool:
        """Whether it holds the key of any epoch."""

    def create(self, epoch_id: UUID) -> None:
        """Make the epoch's key, durably; nothing happens when it exists already."""

    def wrap(self, epoch_id: UUID, key: bytes, aad: bytes) -> bytes:
        """``key`` encrypted under the epoch's key and bound to ``aad``; raises RootKeyMissing."""

    def unwrap(self, epoch_id: UUID, wrapped: bytes, aad: bytes) -> bytes:
        """The key again; raises RootKeyMissing, or WrongRootKey when it does not open."""

    def destroy(self, epoch_id: UUID) -> None:
        """Destroy the epoch's key for ever; nothing happens when it is gone already."""


def configured() -> Provider:
    """The provider that this installation uses."""
    return FileProvider(settings.KEYS_DIR / "epochs")
