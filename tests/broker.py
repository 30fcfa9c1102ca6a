"""The broker of the test at hand: what waits in it, losing all of it, and the events it carries."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from celery.events import EventReceiver
from django.conf import settings

from config.celery import app
from tests.processes import make_broker_folders


def in_folder() -> bool:
    return settings.CELERY_BROKER_URL.startswith("filesystem")


def messages_in_folder() -> list[Path]:
    return sorted((Path(settings.BROKER_DIR) / "queue").glob("*.msg"))


def own_queue(connection: Any) -> Any:
    """A channel on which our queue exists; whoever comes first makes it."""
    channel = connection.channel()
    app.amqp.queues[settings.CELERY_TASK_DEFAULT_QUEUE](channel).declare()
    return channel


def waiting_messages() -> list[bytes]:
    """Every message that waits for a worker, headers included; all of them go on waiting."""
    if in_folder():
        return [path.read_bytes() for path in messages_in_folder()]
    found = []
    with app.connection_for_read() as connection:
        channel = own_queue(connection)
        while message := channel.basic_get(settings.CELERY_TASK_DEFAULT_QUEUE, no_ack=False):
            headers = json.dumps(message.headers, default=str)
            properties = json.dumps(message.properties, default=str)
            body = message.body if isinstance(message.body, bytes) else message.body.encode()
            found.append(b"\n".join([headers.encode(), properties.encode(), body]))
        channel.close()  # what was not acknowledged goes back
    return found


def wipe() -> int:
    """Lose every message that waits, as a broker does whose disk died; how many there were."""
    if in_folder():
        lost = messages_in_folder()
        for path in lost:
            path.unlink()
        return len(lost)
    with app.connection_for_write() as connection:
        channel = own_queue(connection)
        return int(channel.queue_purge(settings.CELERY_TASK_DEFAULT_QUEUE) or 0)


class Events(list[dict[str, Any]]):
    """Celery events as they come in."""

    def kinds(self, about: str) -> set[str]:
        """The kinds of those about the task that was given this id."""
        tasks = {event["uuid"] for event in self if about in json.dumps(event, default=str)}
        return {str(event["type"]) for event in self if event.get("uuid") in tasks}

    def places(self) -> Iterator[tuple[str, bytes]]:
        """Each event as it was received, to be searched."""
        for event in self:
            yield f"a Celery event, {event['type']}", json.dumps(event, default=str).encode()


@contextmanager
def captured_events() -> Iterator[Events]:
    """Listen as a monitor would: with Celery's own receiver, on the broker in use."""
    found, ready, enough = Events(), threading.Event(), threading.Event()

    def listen() -> None:
        with app.connection_for_read() as connection:
            receiver = EventReceiver(connection, handlers={"*": found.append}, app=app)
            with receiver.consumer_context() as (own, _channel, _consumers):
                ready.set()
                while not enough.is_set():
                    with suppress(TimeoutError):
                        own.drain_events(timeout=0.2)

    make_broker_folders()
    listener = threading.Thread(target=listen)
    listener.start()
    assert ready.wait(20), "the listener did not begin"
    try:
        yield found
    finally:
        enough.set()
        listener.join()
