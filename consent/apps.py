"""Django's registration of this app."""

from django.apps import AppConfig


class ConsentConfig(AppConfig):
    """Data subjects, purposes and their consent."""

    name = "consent"

    def ready(self) -> None:
        """Register the rows that have entries in the log."""
        from consent import logged_rows  # noqa: F401  importing it is what registers them
