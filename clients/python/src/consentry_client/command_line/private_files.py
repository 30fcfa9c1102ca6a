"""Reads secrets, unless others on this machine can read them too."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from consentry_client.command_line.outcomes import Stop

OTHERS = stat.S_IRWXG | stat.S_IRWXO


def read_private(path: Path) -> bytes:
    """What a file holds that is its owner's alone; raises Stop when others may read it too."""
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_mode & OTHERS:
            raise Stop(f"{path} can be read by others. Take that away first: chmod 600 {path}")
        return file.read()
