"""Which file became which recording of whom, in a CSV of the user's own: ``upload --record``.

A file's name says what a laboratory knows of a recording (``P-001__trial3.jpg``) and is sent to nobody, so
only this table can join it with results. Each row is on the disk before the next file is sent.
"""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from uuid import UUID

from consentry_client.command_line.csv_lists import read_rows
from consentry_client.command_line.outcomes import Stop
from consentry_client.whole_files import make_folder

COLUMNS = ("file", "subject", "recording")


class UploadRecord:
    """The rows of earlier runs, and the file to which new ones are added. Raises Stop for another file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.known: set[tuple[str, ...]] = set()
        try:
            begun = path.read_bytes()
        except FileNotFoundError:
            begun = b""
        except OSError as error:
            raise Stop(f"{path} cannot be read: {error.strerror}.") from None
        if not begun:
            make_folder(path.parent)
            self.append(",".join(COLUMNS) + "\n")
            return
        if begun.partition(b"\n")[0].strip() != ",".join(COLUMNS).encode():
            raise Stop(f"{path} is no record of uploads: its first line is not {','.join(COLUMNS)}")
        if not begun.endswith(b"\n"):
            self.append("\n")  # what a crash has cut off must not spoil the next line
        self.known = {
            (name, recording) for _at, (name, recording) in read_rows(path, "file", "recording")
        }

    def has(self, name: str, recording: str) -> bool:
        """Whether this row is there."""
        return (name, recording) in self.known

    def add(self, name: str, subject: UUID, recording: str) -> None:
        """Add a row."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow((name, subject, recording))
        self.append(text.getvalue())
        self.known.add((name, recording))

    def append(self, text: str) -> None:
        """Write at the end, on the disk before anything else happens."""
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "ab") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
