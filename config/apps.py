"""Django's registration of this app."""

from django.apps import AppConfig


class ConfigConfig(AppConfig):
    """Settings, addresses and the checks of a deployment."""

    name = "config"

    def ready(self) -> None:
        """Register the checks."""
        from config import checks  # noqa: F401  importing it is what registers them
