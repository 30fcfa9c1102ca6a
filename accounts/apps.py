"""Django's registration of this app."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """People, roles and API clients."""

    name = "accounts"
