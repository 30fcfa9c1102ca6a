"""Django's registration of this app."""

from django.apps import AppConfig


class EmotionConfig(AppConfig):
    """Recordings, analyses and results."""

    name = "emotion"
