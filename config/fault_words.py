"""What people are told of a fault of the installation, in place of the error's own text.

That text is for whoever runs the installation: it names files and commands, in English.
"""

from __future__ import annotations

from django.db import InterfaceError, OperationalError
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from redis.exceptions import RedisError

from audit_log.errors import AuditLogError, EntryNotIntegrated, LogUnavailable
from emotion.inference.media_codes import DecoderKilled
from vault.errors import (
    InsecureKeyFile,
    KeystoreUnavailable,
    ProviderUnavailable,
    RootKeyMissing,
    StorageFull,
    VaultError,
    WrongRootKey,
)

NO_DATABASE = _("The database cannot be used just now. Nothing was lost; try again later.")
NO_KEYS = _(
    "The keys that seal and open cannot be used just now. Nothing was lost; try again later."
)
WORDS: dict[type[Exception], Promise | str] = {
    OperationalError: NO_DATABASE,
    InterfaceError: NO_DATABASE,
    RedisError: _("The cache cannot be used just now; try again later."),
    DecoderKilled: _("The file could not be read just now; try again later."),
    KeystoreUnavailable: NO_KEYS,
    ProviderUnavailable: NO_KEYS,
    RootKeyMissing: NO_KEYS,
    WrongRootKey: NO_KEYS,
    InsecureKeyFile: NO_KEYS,
    StorageFull: _("There is no room left here, so nothing was stored. Try again later."),
    VaultError: _(
        "What is sealed here was not opened, through a fault of the installation. It is written down "
        "for whoever runs it."
    ),
    LogUnavailable: LogUnavailable.message,
    EntryNotIntegrated: EntryNotIntegrated.message,
    AuditLogError: _(
        "The access log cannot be used just now, so nothing was released. Try again later."
    ),
}


def fault_words(error: Exception) -> str | None:
    """The sentence of the nearest class; None for an error whose own text is for people."""
    for kind in type(error).__mro__:
        if kind in WORDS:
            return str(WORDS[kind])
    return None
