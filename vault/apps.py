"""Django's registration of this app."""

from django.apps import AppConfig


class VaultConfig(AppConfig):
    """Sealing and keys."""

    name = "vault"

    def ready(self) -> None:
        """Register the deployment checks."""
        from vault import checks  # noqa: F401  importing it is what registers them
