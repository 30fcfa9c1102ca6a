"""Django's registration of this app."""

from django.apps import AppConfig


class VaultConfig(AppConfig):
    """Sealing and keys."""

    name = "vault"

    def ready(self) -> None:
        """Register the deployment checks, and the rows that have entries in the log."""
        from vault import checks, logged_rows  # noqa: F401  importing them is what registers them
