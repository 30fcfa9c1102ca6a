"""The first key of an installation, and the check that the keys still fit the keystore."""

from __future__ import annotations

from django.conf import settings
from django.db import IntegrityError, connections
from django.db.models import Model

from audit_log import signing
from audit_log.models import LogEntry, PendingEntry
from vault import epochs, keys
from vault.errors import DatabaseLost, KeyMissing
from vault.models import KEY_MODELS, DataKey, Epoch, EpochState, ServiceKey, ServiceUse, TagKey
from vault.providers import configured
from vault.routing import KEYSTORE

ANEW = "To begin anew instead, move the folders of data and of keys both away. Nothing was made."


def require_both_databases() -> None:
    """Raises DatabaseLost when one database is empty and what is left shows that it was not.

    Asked before anything is made: a new keystore in the place of a lost one would look healthy, and
    everything that was sealed would stay closed.
    """
    logged = has_rows(LogEntry, "default") or has_rows(PendingEntry, "default")
    if not has_rows(Epoch, KEYSTORE):
        past = {"an access log": logged, "keys of epochs": configured().has_keys()}
        if found := [what for what, is_there in past.items() if is_there]:
            raise DatabaseLost(
                f"The keystore is empty or missing, but this installation has {' and '.join(found)}:"
                f" restore the keystore (KEYSTORE_URL) from its backup. {ANEW}"
            )
    elif not logged:
        past = {
            "keys of people": has_rows(DataKey, KEYSTORE) or has_rows(TagKey, KEYSTORE),
            "a signed access log": signing.highest_path().exists(),
            "an epoch that was logged": Epoch.objects.exclude(opened_entry=None).exists(),
        }
        if found := [what for what, is_there in past.items() if is_there]:
            raise DatabaseLost(
                "The main database is empty or missing, but this installation has "
                f"{' and '.join(found)}: restore the main database (DATABASE_URL) from its backup."
                f" {ANEW}"
            )


def not_made(alias: str) -> bool:
    """Whether a SQLite file is missing or has no byte: to connect would already write into it."""
    file = settings.SQLITE_FILES.get(alias)
    return file is not None and (not file.exists() or file.stat().st_size == 0)


def is_empty(alias: str) -> bool:
    """Whether a database holds nothing of an installation: no table, no file, or no row that counts."""
    models = [Epoch] if alias == KEYSTORE else [LogEntry, PendingEntry]
    return not any(has_rows(model, alias) for model in models)


def has_rows(model: type[Model], alias: str) -> bool:
    """Whether there is a row, in a database that may have no table yet or not even be there."""
    if not_made(alias):
        return False
    if model._meta.db_table not in connections[alias].introspection.table_names():
        return False
    return model._default_manager.using(alias).exists()


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


def require_current() -> None:
    """Raises KeystoreUnavailable, or what is wrong with the current epoch's key."""
    with keys.keystore():
        epochs.verify(configured(), epochs.current())


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
