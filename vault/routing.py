"""Which tables live in the keystore: the vault's own, and no others."""

from __future__ import annotations

from typing import Any

from django.db.models import Model

KEYSTORE = "keystore"


class KeystoreRouter:
    """Send the vault's models to the ``keystore`` database and keep everything else out of it."""

    def db_for_read(self, model: type[Model], **hints: Any) -> str | None:
        """The keystore for the vault's models; no opinion on others."""
        return KEYSTORE if model._meta.app_label == "vault" else None

    db_for_write = db_for_read

    def allow_relation(self, obj1: Model, obj2: Model, **hints: Any) -> bool | None:
        """No relation crosses the border between the two databases."""
        sides = {obj1._meta.app_label == "vault", obj2._meta.app_label == "vault"}
        return None if len(sides) == 1 else False

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        """Each table is made in exactly one database."""
        return (db == KEYSTORE) == (app_label == "vault")
