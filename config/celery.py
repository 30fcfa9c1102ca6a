"""The Celery application.

The broker is a hint, never the truth: messages carry row ids only, and a lost message is
found again by the keeper from the database row.
"""

import os
import subprocess
import sys
import threading
from typing import Any

from celery import Celery
from celery.bootsteps import StartStopStep
from celery.signals import worker_init, worker_process_init, worker_shutting_down
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from kombu.asynchronous import get_event_loop

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
# Celery would run Django's checks and heed nothing of what they say; with the check of the addresses come
# all pages, which are half of a worker's start. Every ``manage.py`` command runs them, the keeper's too.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

try:
    settings.VAR_DIR  # noqa: B018  a wrong setting ends every process here, with one line
except ImproperlyConfigured as error:
    sys.exit(str(error))

app = Celery("consentry")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["emotion"])


class Mark(StartStopStep):
    """Touches the worker's mark while it takes messages; events, which could tell the same, are off."""

    requires = ("celery.worker.components:Timer",)

    def __init__(self, parent: Any, **_options: Any) -> None:
        self.entry: Any = None

    def start(self, parent: Any) -> None:
        """Touch it now, and every few seconds from the worker's own timer."""
        from emotion.marks import EVERY, WORKER, touch  # only after the settings

        touch(WORKER)
        self.entry = parent.timer.call_repeatedly(EVERY, touch, (WORKER,))

    def stop(self, parent: Any) -> None:
        """Touch it no more."""
        if self.entry is not None:
            self.entry.cancel()


app.steps["worker"].add(Mark)


@worker_init.connect
def delay_nothing(**_signal: Any) -> None:
    """Make no queues for messages that wait for a time: there are none, the keeper finds what is due.

    Celery would make 28 queues and as many exchanges in a RabbitMQ that others use, too.
    """
    from celery.worker.consumer import Consumer

    Consumer.Blueprint.default_steps.remove(
        "celery.worker.consumer.delayed_delivery:DelayedDelivery"
    )


@worker_init.connect
def require_tables(**_signal: Any) -> None:
    """A worker of another version than the databases ends with one line."""
    from emotion.upgrades import upgrade_needed  # only after the settings

    if words := upgrade_needed():
        sys.exit(words)


@worker_init.connect
def require_execution_provider(**_signal: Any) -> None:
    """A worker whose execution provider is missing, does not start or errs ends with one line."""
    if settings.EXECUTION_PROVIDER == "cpu":
        return  # always there
    # In a process of its own: importing ONNX Runtime starts a thread, and no fork of this one has it.
    command = [sys.executable, "-m", "emotion.inference.sessions", settings.EXECUTION_PROVIDER]
    tried = subprocess.run(  # noqa: S603  # our own module, and a word of a closed list
        command, cwd=settings.BASE_DIR, stderr=subprocess.PIPE, text=True, check=False
    )
    if tried.returncode:
        sys.exit(tried.stderr.strip())


@worker_process_init.connect
def load_models(**_signal: Any) -> None:
    """Load the models once per worker process, before its first task asks for them."""
    from emotion.inference.sessions import compute_on, warm_up  # only workers need the models

    compute_on(settings.EXECUTION_PROVIDER)
    warm_up()


@worker_shutting_down.connect
def give_work_back(**_signal: Any) -> None:
    """Let the processes of this worker give back what takes longer than anybody waits for them."""
    from emotion.stopping import note_stop  # only after the settings

    note_stop()


@worker_shutting_down.connect
def wake_up(**_signal: Any) -> None:
    """Let a worker that waits for its broker see at once that it shall stop, and not at its next timer.

    A signal alone does not end the wait (PEP 475), and only what another thread adds to the loop does.
    """
    if loop := get_event_loop():
        threading.Thread(target=loop.call_soon, args=(lambda: None,)).start()
