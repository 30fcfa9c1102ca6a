"""System checks of a deployment: who can reach the epoch keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

from vault.errors import VaultError
from vault.providers import key_server
from vault.providers.file import FileProvider


@register(Tags.security, deploy=True)
def key_files(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """vault.E001: the folder; vault.E002: a file in it; vault.E003: where it lies. See also E004."""
    provider = FileProvider(settings.KEYS_DIR / "epochs")
    found: list[CheckMessage] = []
    if settings.KEYS_DIR.resolve().is_relative_to(settings.VAR_DIR.resolve()):
        found.append(
            Error(
                "The epoch keys lie inside the folder of the data that they open.",
                hint="Set CONSENTRY_KEYS to a folder outside CONSENTRY_VAR and its backups.",
                id="vault.E003",
            )
        )
    if settings.TRANSIT_URL:
        return [*found, *transit_server()]
    try:
        provider.check_folder()
    except VaultError as error:
        return [*found, Error(str(error), id="vault.E001")]
    for path in sorted(provider.folder.glob("*.key")):
        try:
            provider.check_file(path, path.lstat())
        except VaultError as error:
            found.append(Error(str(error), id="vault.E002"))
    return found


def transit_server() -> list[CheckMessage]:
    """vault.E004: the server that holds the epoch keys cannot be used, or is not set up as it must be."""
    try:
        key_server(
            settings.TRANSIT_URL, settings.TRANSIT_TOKEN_FILE, settings.TRANSIT_NAMESPACE
        ).check()
    except VaultError as error:
        return [Error(str(error), id="vault.E004")]
    return []
