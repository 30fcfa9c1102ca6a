"""What arrives from the queue and is no message of ours: dropped with one line, and the worker lives.

A dropped message loses nothing, because the keeper sends every row that waits again. kombu's transport for
a folder ends the whole worker when a file there cannot be read as a message, such as one that a full disk
cut short. Celery writes the whole message down when it names a task of another version.
"""

from __future__ import annotations

import logging
from queue import Empty
from typing import Any

from kombu.transport import filesystem

log = logging.getLogger("consentry.queue")


class Channel(filesystem.Channel):
    """Takes the next file that is a message."""

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        while True:
            try:
                payload = super()._get(queue)
                self.Message(payload, channel=self)  # what delivering it will do
                return payload
            except Empty:
                raise
            except (ValueError, TypeError, KeyError, AttributeError):
                log.warning("a file in the queue's folder was dropped: it is no message")


class Transport(filesystem.Transport):
    """``filesystem://`` as ``config.settings`` sets it up."""

    Channel = Channel


class UnknownTasks(logging.Filter):
    """Says in one line, without the message, that a task of another version was asked for."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Shorten Celery's report; everything else stays as it is."""
        if record.name.startswith("celery.worker.consumer") and str(record.msg).startswith(
            "Received unregistered task"
        ):
            record.msg = "a message was dropped: it asks for a task that this version does not know"
            record.args, record.exc_info, record.exc_text = (), None, None
        return True
