"""Fresh installations for benchmarks: databases of their own, set up, and removed afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg import sql

ROOT = Path(__file__).resolve().parent.parent
INNER = "BENCH_INNER"
"""Set in the process that runs inside the installation."""


def run_on(name: str, *words: str, **changes: str) -> None:
    """Set an installation up and run ``python -m words`` inside it, in a process of its own."""
    print(f"{name}:", flush=True)
    with tempfile.TemporaryDirectory(prefix="consentry-bench-") as folder:
        ours = ("CONSENTRY_", "DATABASE_", "KEYSTORE_", "CELERY_", "CACHE_", "EMAIL_")
        environment = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
        environment |= {
            "CONSENTRY_VAR": f"{folder}/var",
            "CONSENTRY_KEYS": f"{folder}/keys",
            "CONSENTRY_DEMO": "0",
            "SECRET_KEY": uuid4().hex + uuid4().hex,
            "SITE_URL": "http://localhost",
            "ALLOWED_HOSTS": "localhost,testserver",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            INNER: "1",
        } | changes
        setup = [sys.executable, "manage.py", "setup"]
        subprocess.run(setup, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
        subprocess.run([sys.executable, "-m", *words], cwd=ROOT, env=environment, check=True)


@contextmanager
def databases_on(server: str) -> Iterator[dict[str, str]]:
    """Two new databases on a PostgreSQL server, as environment variables; dropped at the end."""
    names = [f"consentry_bench_{os.getpid()}", f"consentry_bench_{os.getpid()}_keys"]
    with psycopg.connect(f"{server}/postgres", autocommit=True) as maintenance:
        for name in names:
            maintenance.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            main, keys = (f"{server}/{name}" for name in names)
            yield {"DATABASE_URL": main, "KEYSTORE_URL": keys}
        finally:
            for name in names:
                drop = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
                maintenance.execute(drop)
