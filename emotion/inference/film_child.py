"""The decoding child for films: asks its parent for bytes and puts pictures into shared memory.

Run by ``films`` as a program of its own (``python -I -S``), limited as ``decode_child`` is before it asks
for the first byte: from then on it can open neither file nor socket nor process. The film stays with
the parent; the child holds a few pieces of it. ``film_messages`` says what goes through the pipes.
"""

from __future__ import annotations

import json
import mmap
import os
import resource
import sys
from pathlib import Path

MEMORY = 2 * 1024**3
# The parent raises the soft limit as the film goes on; nobody can raise this one.
CPU_SECONDS_MAX = 12 * 3600
CPU_SECONDS_AT_FIRST = 30


def limit_before_loading() -> None:
    """Memory, processor time, no core dump, no byte written to any file."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS_AT_FIRST, CPU_SECONDS_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def main(packages: str, descriptor: int, size: int, order: str) -> None:
    """Decode a film of ``size`` bytes as ``order`` (JSON) says; ``packages``: where av and cv2 lie."""
    limit_before_loading()
    sys.path += [packages, str(Path(__file__).resolve().parents[2])]
    from emotion.inference import film_decoding
    from emotion.inference.decode_child import limit_before_reading
    from emotion.inference.film_channel import Channel
    from emotion.inference.film_track import Order
    from emotion.inference.media_codes import MediaCode, MediaRefused

    memory = mmap.mmap(descriptor, 0)
    os.close(descriptor)
    channel = Channel(memory, size)
    film_decoding.load()
    limit_before_reading()
    try:
        film_decoding.decode(channel, Order(**json.loads(order)))
    except MediaRefused as refused:
        channel.refuse(refused)
    except MemoryError:
        channel.refuse(MediaRefused(MediaCode.UNREADABLE, "The film needs too much memory."))
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
