"""A broker that others reach, too: another installation of the same machine, and whoever would command."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from amqp.exceptions import ChannelError
from django.conf import settings
from kombu import Queue

from config.celery import app
from tests.broker import in_folder
from tests.environment import forget_queue
from tests.processes import WORKER, running, wait_for

pytestmark = pytest.mark.processes


def can_be_sent_to(queue: str) -> bool:
    """Whether there is a queue of this name; in Redis it is a list, which nobody need make first."""
    with app.connection_for_read() as connection:
        if connection.transport.driver_type == "redis":
            return True
        try:
            return bool(connection.default_channel.queue_declare(queue, passive=True))
        except ChannelError:
            return False


def took_its_message(log: Path) -> bool:
    """Whether a worker has said that it was sent one that names no analysis."""
    return "it names no row" in log.read_text()


def test_the_worker_of_another_installation_works_beside_ours(
    worker: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    # Each installation has a folder of its own, in which nothing can be claimed by two.
    if in_folder():
        pytest.skip("a folder belongs to one installation")
    app.send_task("emotion.analyse", args=["no analysis"])
    wait_for(lambda: took_its_message(tmp_path / "worker.log"), 60)
    other = f"{settings.CELERY_TASK_DEFAULT_QUEUE}-other"
    try:
        with running(WORKER, tmp_path / "other.log", CELERY_QUEUE=other) as beside:
            wait_for(lambda: can_be_sent_to(other), 60, "the other worker to make its queue")
            # To the queue itself: the worker binds it to its exchange only after it made it.
            app.send_task(
                "emotion.analyse", args=["no analysis"], queue=Queue(other, no_declare=True)
            )
            wait_for(lambda: took_its_message(tmp_path / "other.log"), 60)
            assert worker.poll() is None
            assert beside.poll() is None
        # Nothing is sent to be done later, so no worker fills the broker with queues for that.
        assert "delayed" not in (tmp_path / "other.log").read_text()
    finally:
        forget_queue(settings.CELERY_BROKER_URL, other)


def test_nobody_commands_a_worker(worker: subprocess.Popen[bytes], tmp_path: Path) -> None:
    app.send_task("emotion.analyse", args=["no analysis"])
    wait_for(lambda: took_its_message(tmp_path / "worker.log"), 60)
    asked = app.control.inspect(timeout=2)
    assert asked.ping() is None
    assert asked.conf() is None
    app.control.shutdown()
    with pytest.raises(subprocess.TimeoutExpired):
        worker.wait(3)
