"""Django's registration of this app."""

from django.apps import AppConfig


class VaultConfig(AppConfig):
    """Sealing and keys."""

    name = "vault"
