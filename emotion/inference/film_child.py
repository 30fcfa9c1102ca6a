"""The decoding child for films: asks its parent for bytes and puts pictures into shared memory.

A program of ``fork_server``, for ``films``, limited as ``decode_child`` is before it asks for the first
byte: from then on it can open neither file nor socket nor process. The film stays with the parent; the
child holds a few pieces of it. ``film_messages`` says what goes through the pipes.
"""

from __future__ import annotations

import json
import mmap
import os

from emotion.inference import film_decoding
from emotion.inference.film_channel import Channel
from emotion.inference.film_formats import CPU_SECONDS_AT_FIRST, CPU_SECONDS_MAX
from emotion.inference.film_track import Order
from emotion.inference.fork_server import HANDED, limit_before_reading
from emotion.inference.media_codes import MediaCode, MediaRefused


def load() -> None:
    """Once, in the fork server."""
    film_decoding.load()


def main(size: str, order: str) -> None:
    """Decode a film of ``size`` bytes as ``order`` (JSON) says, into the memory that it is handed."""
    memory = mmap.mmap(HANDED, 0)
    os.close(HANDED)
    channel = Channel(memory, int(size))
    limit_before_reading(CPU_SECONDS_AT_FIRST, CPU_SECONDS_MAX)
    try:
        film_decoding.decode(channel, Order(**json.loads(order)))
    except MediaRefused as refused:
        channel.refuse(refused)
    except MemoryError:
        channel.refuse(MediaRefused(MediaCode.UNREADABLE, "The film needs too much memory."))
    os._exit(0)
