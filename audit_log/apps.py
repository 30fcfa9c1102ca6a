"""Django's registration of this app."""

from django.apps import AppConfig


class AuditLogConfig(AppConfig):
    """The append-only access log."""

    name = "audit_log"
