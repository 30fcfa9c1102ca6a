"""Settings, URLs, Celery and the error table: where the parts of Consentry meet the machine.

Nothing in here holds a rule about people; it only wires the other packages together.
"""

from config.celery import app as celery_app

__all__ = ["celery_app"]
