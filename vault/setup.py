"""The first key of an installation, and the check that the keys still fit the keystore."""

from __future__ import annotations

from django.db import IntegrityError

from vault import epochs, keys
from vault.errors import KeyMissing
from vault.models import KEY_MODELS, Epoch, EpochState, ServiceKey, ServiceUse
from vault.providers import configured


def ensure_root() -> None:
    """Make the first epoch and the installation's own keys, or check those that are there.

    Safe to repeat and to run twice at once. Nothing is ever overwritten: raises RootKeyMissing,
    WrongRootKey or InsecureKeyFile when the keystore has epochs whose keys are not with the
    provider (restore them), KeyMissing when the keystore lost the credential key.
    """
    source = configured()
    with keys.keystore():
        in_use = list(Epoch.objects.filter(state__in=[EpochState.CURRENT, EpochState.CLOSED]))
        for epoch in in_use:
            epochs.verify(source, epoch)
        first = not in_use
        if first:
            epochs.open_next(source, None)
        ensure_credential_key(may_create=first or not any_keys())


def any_keys() -> bool:
    """Whether anything is wrapped: if not, the first start was cut short before this step."""
    return any(model._default_manager.exists() for model in KEY_MODELS)


def ensure_credential_key(*, may_create: bool) -> None:
    """Make the credential key at the first start; later its absence is an error."""
    if ServiceKey.objects.filter(use=ServiceUse.CREDENTIAL).exists():
        return
    if not may_create:
        raise KeyMissing(
            "the keystore has keys but not the credential key: it is incomplete, restore it"
        )
    try:
        keys.create(ServiceKey(use=ServiceUse.CREDENTIAL))
    except IntegrityError:
        return  # another process made it in between
