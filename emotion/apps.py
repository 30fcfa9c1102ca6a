"""Django's registration of this app."""

from django.apps import AppConfig


class EmotionConfig(AppConfig):
    """Recordings, analyses and results."""

    name = "emotion"

    def ready(self) -> None:
        """Register the rows that have entries in the log."""
        from emotion import logged_rows  # noqa: F401  importing it is what registers them
