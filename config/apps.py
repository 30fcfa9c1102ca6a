"""Django's registration of this app."""

from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created


def limit_waiting(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """PostgreSQL waits for a lock for ever; a table that somebody holds is 503, as on SQLite."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('lock_timeout', %s, false)", [f"{settings.LOCK_WAIT}s"]
            )


class ConfigConfig(AppConfig):
    """Settings, addresses and the checks of a deployment."""

    name = "config"

    def ready(self) -> None:
        """Register the checks, and what every new connection is told."""
        from config import checks  # noqa: F401  importing it is what registers them

        connection_created.connect(limit_waiting, dispatch_uid="limit_waiting")
