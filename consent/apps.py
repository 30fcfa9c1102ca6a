"""Django's registration of this app."""

from django.apps import AppConfig


class ConsentConfig(AppConfig):
    """Data subjects, purposes and their consent."""

    name = "consent"
