"""Files that are there as a whole or not at all, and that nobody else on this machine can read."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def make_folder(folder: Path) -> Path:
    """The folder, made for its owner alone where it is not there yet."""
    if not folder.is_dir():
        make_folder(folder.parent)  # mkdir(parents=True) would leave those above open to others
        folder.mkdir(mode=0o700, exist_ok=True)
    return folder


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file in the place of ``path``, there as a whole when the block ends, or not at all.

    It can be read as well, to see whether it is as it should be: an error keeps it from being there.
    """
    make_folder(path.parent)
    descriptor, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)  # 0600
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
