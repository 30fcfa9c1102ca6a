"""Sets the environment before Django reads its settings; loaded by ``-p tests.environment``.

Everything a test run writes lies in one temporary folder per process, removed at the end.
``TEST_DATABASE_URL`` (PostgreSQL) and ``TEST_BROKER_URL`` choose the larger profile; ``TEST_PATIENCE``
and ``TEST_SHARED`` are read by ``tests.processes`` and ``tests.databases``.
"""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
import tempfile
from pathlib import Path

ROOT = Path(tempfile.mkdtemp(prefix="consentry-tests-"))
atexit.register(shutil.rmtree, ROOT, ignore_errors=True)


def forget_queue(broker: str, queue: str) -> None:
    """Leave nothing behind on a server that is not ours."""
    from kombu import Connection

    with Connection(broker) as connection:
        connection.default_channel.queue_delete(queue)
        for exchange in (queue, f"{queue}-events"):
            connection.default_channel.exchange_delete(exchange)


(ROOT / "keys").mkdir(mode=0o700)
(ROOT / "var").mkdir(mode=0o700)
for name in list(os.environ):
    if name in {"DATABASE_URL", "KEYSTORE_URL", "CELERY_BROKER_URL", "EMAIL_URL", "CACHE_URL"}:
        del os.environ[name]
os.environ |= {
    "CONSENTRY_VAR": str(ROOT / "var"),
    "CONSENTRY_KEYS": str(ROOT / "keys"),
    "SECRET_KEY": secrets.token_urlsafe(48),
    "SITE_URL": "http://testserver",
    "ALLOWED_HOSTS": "testserver,127.0.0.1,localhost",
    "DJANGO_SETTINGS_MODULE": "config.settings",
}
if server := os.environ.get("TEST_DATABASE_URL"):
    run = f"consentry_test_{os.getpid()}_{secrets.token_hex(3)}"
    os.environ["DATABASE_URL"] = f"{server.rstrip('/')}/{run}"
    os.environ["KEYSTORE_URL"] = f"{server.rstrip('/')}/{run}_keys"
if broker := os.environ.get("TEST_BROKER_URL"):
    os.environ["CELERY_BROKER_URL"] = broker
    os.environ["CELERY_QUEUE"] = f"consentry-test-{os.getpid()}-{secrets.token_hex(3)}"
    atexit.register(forget_queue, broker, os.environ["CELERY_QUEUE"])
