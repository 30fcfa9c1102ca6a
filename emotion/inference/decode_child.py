"""The decoding child: bytes on standard input, an answer on standard output, and nothing else.

Run as a program of its own with ``python -I``; it limits itself before it reads the first byte. The answer
is one line of JSON; for ``pixels`` the RGB bytes follow it.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

MEMORY = 2 * 1024**3
CPU_SECONDS = 20
OPEN_FILES = 64


def limit() -> None:
    """Memory, processor time, open files; no core dump, no file written."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def answer(body: dict[str, Any], pixels: bytes = b"") -> None:
    """Write the answer and leave without running anything else."""
    sys.stdout.buffer.write(json.dumps(body).encode() + b"\n")
    sys.stdout.buffer.write(pixels)
    sys.stdout.buffer.flush()
    os._exit(0)


def main(mode: str, max_bytes: int) -> None:
    """Read, inspect and decode one photograph."""
    limit()
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    import cv2
    import numpy
    from photo_formats import (  # type: ignore[import-not-found]  # beside this file at run time
        MediaCode,
        MediaRefused,
        inspect_photo,
    )

    cv2.setNumThreads(1)
    # From here on nothing more is opened: standard input, output and error are all there is.
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
    data = sys.stdin.buffer.read(max_bytes + 1)
    try:
        if len(data) > max_bytes:
            raise MediaRefused(MediaCode.TOO_LARGE, f"Expected at most {max_bytes} bytes.")
        facts = inspect_photo(data)
        # IMREAD_COLOR turns the picture as its EXIF orientation says; all metadata stay behind.
        picture = cv2.imdecode(numpy.frombuffer(data, numpy.uint8), cv2.IMREAD_COLOR)
        if picture is None:
            raise MediaRefused(MediaCode.UNREADABLE, "The file cannot be read as a photograph.")
    except MediaRefused as refused:
        answer({"code": refused.code.value, "message": str(refused)})
        return
    except (cv2.error, MemoryError):
        answer({"code": MediaCode.UNREADABLE.value, "message": "The photograph cannot be decoded."})
        return
    height, width = picture.shape[:2]
    body = {"media_type": facts.media_type, "width": width, "height": height}
    rgb = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    answer(body, rgb.tobytes() if mode == "pixels" else b"")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
