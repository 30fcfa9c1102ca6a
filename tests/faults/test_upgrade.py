"""An upgrade, or a stop, with work in the queue: nothing is lost, and no strange message kills."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from celery import current_app
from django.conf import settings
from django.db import connections
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from emotion.models import Analysis
from tests.cast import PHOTO, consenting, open_study, upload
from tests.faults.leftovers import ENDED
from tests.processes import KEEPER, ROOT, WORKER, environment, running, wait_for
from tests.tools.test_supervise import COMMAND, free_port

pytestmark = [pytest.mark.usefixtures("fresh_db"), pytest.mark.processes]


def accepted(number: int = 1) -> list[Analysis]:
    """Uploads of one person, whose messages wait in the queue."""
    environment()  # makes the folders of the queue
    study = open_study()
    consenting(study)
    key = study.key()
    for _upload in range(number):
        answer = upload(key, "P-001", study.purpose.id, PHOTO.read_bytes())
        assert answer.status_code == 202, answer.content
    return list(Analysis.objects.filter(recording__purpose=study.purpose))


def ended(row: Analysis) -> bool:
    return Analysis.objects.get(pk=row.pk).state in ENDED


def garbage() -> list[bytes]:
    """What may lie in the queue's folder after a crash, a full disk or another program."""
    message: dict[str, Any] = {"body": "W10=", "headers": {}, "properties": {}}
    return [b"", b"\xff\xfe\x00", b"[]", b"{}", b'"text"', b"{", json.dumps(message).encode()]


def put_garbage() -> None:
    """Before whatever waits: the folder is read in the order of names."""
    if settings.CELERY_BROKER_URL.startswith("filesystem"):
        queue = Path(settings.BROKER_DIR) / "queue"
        queue.mkdir(mode=0o700, parents=True, exist_ok=True)
        for number, body in enumerate(garbage()):
            name = f"0{number}_{uuid4()}.{settings.CELERY_TASK_DEFAULT_QUEUE}.msg"
            (queue / name).write_bytes(body)


def put_messages_of_another_version(row: Analysis) -> None:
    current_app.send_task("emotion.analyse_film", [str(row.pk)])
    current_app.send_task("emotion.analyse", ["not-an-id"])
    current_app.send_task("emotion.analyse", [])
    current_app.send_task("emotion.analyse", [{"id": str(row.pk)}], {"priority": 3})
    current_app.send_task("emotion.analyse", [str(row.pk), "fast"], {"priority": 3})


def test_messages_of_another_version_neither_kill_nor_lose(tmp_path: Path) -> None:
    [row] = accepted()
    put_messages_of_another_version(row)
    put_garbage()
    [last] = accepted()
    with running(WORKER, tmp_path / "worker.log") as worker:
        wait_for(lambda: ended(row) and ended(last), 60, "the rows behind the garbage")
        assert worker.poll() is None, "the worker lives"
    assert set(Analysis.objects.values_list("state", flat=True)) == {"done"}
    said = (tmp_path / "worker.log").read_text()
    assert "Traceback" not in said
    assert str(row.pk) not in said, "no message is written down"
    assert said.count("a task that this version does not know") == 1
    assert said.count("it names no row") == 3
    if settings.CELERY_BROKER_URL.startswith("filesystem"):
        assert said.count("it is no message") == len(garbage())


@contextmanager
def supervised(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """The whole installation on this test's databases, started by its supervisor."""
    given = environment() | {"PORT": str(free_port()), "CONSENTRY_WORKERS": "1"}
    given |= {"CONSENTRY_DEMO": "0", "SITE_URL": "http://testserver"}
    with (folder / "said").open("a") as said:
        child = subprocess.Popen(COMMAND, cwd=ROOT, env=given, stdout=said, stderr=said, text=True)
        try:
            yield child
        finally:
            child.terminate()
            child.wait(30)


def test_a_stop_in_the_middle_of_an_analysis_loses_nothing(tmp_path: Path) -> None:
    rows = accepted(5)
    with supervised(tmp_path) as first:
        wait_for(lambda: Analysis.objects.filter(state="running").exists(), 60, "the worker")
        first.terminate()
        time.sleep(0.3)
        first.terminate()  # a tired operator does not wait
        assert first.wait(30) == 0
    waits = Analysis.objects.exclude(state__in=ENDED)
    assert waits.exists(), "it was stopped in the middle"
    assert {row.state for row in waits} <= {"queued", "running"}
    # as it is found a minute and a half later
    long_ago = timezone.now() - timedelta(minutes=2)
    waits.update(queued_at=long_ago)
    waits.filter(state="running").update(lease_until=long_ago)
    with supervised(tmp_path):
        for row in rows:
            wait_for(lambda row=row: ended(row), 60, "the second start")
    assert {Analysis.objects.get(pk=row.pk).state for row in rows} == {"done"}
    assert max(Analysis.objects.values_list("tries", flat=True)) <= 2
    assert "Traceback" not in (tmp_path / "said").read_text()


PROGRAMS = {
    "worker": WORKER,
    "keeper": KEEPER,
    "web": [sys.executable, "-m", "gunicorn", "config.wsgi", "--preload", "--bind", "127.0.0.1:0"],
}


@pytest.mark.parametrize("alias", ["default", "keystore"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_of_another_version_say_one_line(alias: str, program: str) -> None:
    with connections[alias].cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'emotion'")
    done = subprocess.run(
        PROGRAMS[program], cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if "manage.py setup" in line]
    assert len(lines) == 1
    assert f"The database '{alias}' is of another version" in lines[0]
    assert "Traceback" not in done.stderr
    parts = Client().get(reverse("readyz")).json()["parts"]
    assert "run manage.py setup" in parts["database" if alias == "default" else alias]
