"""Reads secrets, unless others on this machine can read them too."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from consentry_client.command_line.outcomes import Stop

OTHERS = stat.S_IRWXG | stat.S_IRWXO
MODES_TELL = os.name == "posix"
"""Windows gives every file the bits 0666 or 0444, whoever may read it."""


def read_private(path: Path) -> bytes:
    """What a file holds that is its owner's alone; raises Stop when its mode lets others read it too."""
    with path.open("rb") as file:
        if MODES_TELL and os.fstat(file.fileno()).st_mode & OTHERS:
            raise Stop(f"{path} can be read by others. Take that away first: chmod 600 {path}")
        return file.read()
